"""`routekit letters`: what failed is found, read, replayed after the fault is mended, or discarded."""

import json
import re
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

BROKEN = """from routekit import from_


def check(n: int) -> int:
    if n % 2:
        raise ValueError(f"[odd] {n}\\nof amqp://me:hunter2@host")
    return n


ticks = from_("timer:t?every=1ms&repeat=5", int).transform(check).log("done {body}")
"""
MENDED = BROKEN.replace("n % 2", "n < 0")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the state that a run left behind is kept for the next test."""
    return tmp_path_factory.mktemp("failed") / "data"


@pytest.fixture
def after_run(routekit: Any, kept: Path) -> Any:
    """The command in a folder where the letters of 1, 3 and 5 wait."""
    routekit.write("routes/a.py", BROKEN)
    if kept.exists():
        shutil.copytree(kept, routekit.folder / "data")
        return routekit
    done = routekit("run")
    assert (done.code, "3 dead letters" in done.err) == (1, True)
    shutil.copytree(routekit.folder / "data", kept)
    return routekit


def ids(routekit: Any) -> list[str]:
    """The ids of the letters that are in the store, the newest first."""
    with sqlite3.connect(routekit.folder / "data" / "routekit.db") as store:
        found = store.execute("SELECT id FROM routekit_letters ORDER BY at DESC").fetchall()
    store.close()
    return [row[0] for row in found]


def test_list(after_run: Any) -> None:
    """Letters are listed one line each, the newest first, with route, place and reason; secrets are masked."""
    done = after_run("letters", "list")
    assert (done.code, done.err) == (0, "")
    head, *lines = done.out.splitlines()
    assert head.split() == ["id", "when", "route", "place", "reason"]
    assert len(lines) == 3
    for line, number in zip(lines, (5, 3, 1), strict=True):
        assert line.rstrip().endswith(f"Z  a.ticks  routes/a.py:10  ValueError: [odd] {number}\\nof amqp://me:***@host")


def test_list_as_json(after_run: Any) -> None:
    """As JSON letters are whole; secrets are masked in the reason, the body is as it came."""
    letter, *_ = letters = after_run("letters", "list", "--json").json
    assert [letter["id"] for letter in letters] == ids(after_run)
    assert letter["reason"] == "[odd] 5\nof amqp://me:***@host"
    assert (letter["route"], letter["step"], letter["place"]) == ("a.ticks", "transform(check)", "routes/a.py:10")
    assert (letter["body"], letter["headers"], letter["attempts"]) == (5, {"timer.name": "t"}, 1)


def test_list_is_cut(after_run: Any) -> None:
    """With a limit, the newest are listed, and it is said that there are more; a route may be chosen."""
    done = after_run("letters", "list", "--limit", "1")
    assert "[odd] 5" in done.out
    assert done.out.endswith("1 of 3; --limit shows more\n")
    assert after_run("letters", "list", "--route", "a.other").out == "no dead letters\n"


def test_show(after_run: Any) -> None:
    """One letter is shown whole, found by the first characters of its id."""
    (first, *_) = ids(after_run)
    lines = dict(line.split(": ", 1) for line in after_run("letters", "show", first[:6]).out.splitlines())
    shown = {name: text.strip() for name, text in lines.items()}
    assert shown["id"] == first
    assert shown["step"] == "transform(check)"
    assert shown["reason"] == "[odd] 5\\nof amqp://me:***@host"
    assert (shown["body"], shown["headers"]) == ("5", '{"timer.name": "t"}')
    assert after_run("letters", "show", first, "--json").json["id"] == first


def test_replay_after_the_fix(after_run: Any) -> None:
    """Once the module is mended, a letter is replayed and forgotten, the others with --all."""
    first, *others = ids(after_run)
    after_run.write("routes/a.py", MENDED)
    done = after_run("letters", "replay", first[:6])
    assert (done.code, done.out) == (0, "1 replayed, 0 failed again\n")
    assert ids(after_run) == others
    assert after_run("letters", "replay", "--all").out == "2 replayed, 0 failed again\n"
    assert after_run("letters", "list").out == "no dead letters\n"


def test_replay_that_fails_again(after_run: Any) -> None:
    """A letter that fails again is told with its reason and kept, with that in it; the exit code is 1."""
    before = after_run("letters", "list", "--json").json
    done = after_run("letters", "replay", "--all")
    assert (done.code, done.out) == (1, "0 replayed, 3 failed again\n")
    assert f"{before[0]['id']}: ValueError: [odd] 5\\nof amqp://me:***@host\n" in done.err
    after = after_run("letters", "list", "--json").json
    tried = [letter.pop("replays") for letter in after]
    assert [{**letter, "replays": []} for letter in after] == before
    assert [[(one["error"], one["step"], one["attempts"]) for one in those] for those in tried] == [
        [("ValueError", "transform(check)", 1)]
    ] * 3


def test_replay_of_a_route_that_is_gone(after_run: Any) -> None:
    """Letters of a route that was renamed fail one by one, with what there is now, and are kept."""
    after_run.write("routes/a.py", MENDED.replace("ticks =", "tocks ="))
    done = after_run("letters", "replay", "--all")
    assert (done.code, done.out) == (1, "0 replayed, 3 failed again\n")
    assert done.err.count("is of route 'a.ticks'; did you mean 'a.tocks'?") == 3
    assert len(ids(after_run)) == 3


def test_replay_with_broken_routes(after_run: Any) -> None:
    """Nothing is replayed through routes that have a problem: it is told, with exit code 2."""
    after_run.write("routes/a.py", MENDED + 'wrong = from_("tmier:x")\n')
    done = after_run("letters", "replay", "--all")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("routes/a.py:11: a.wrong: no installed plugin offers 'tmier:'\n")
    assert len(ids(after_run)) == 3


def test_discard(after_run: Any) -> None:
    """A letter is discarded by its id, all of a route by --all and --route; always with a reason."""
    first, *others = ids(after_run)
    assert after_run("letters", "discard", first, "--why", "x").out == "1 discarded\n"
    assert ids(after_run) == others
    assert after_run("letters", "discard", "--all", "--route", "a.other", "--why", "x").out == "0 discarded\n"
    assert after_run("letters", "discard", "--all", "--route", "a.ticks", "--why", "x").out == "2 discarded\n"
    assert ids(after_run) == []


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["show", "nope"], "error: there is no letter 'nope'\n  see: routekit letters list\n"),
        (["show", ""], "error: 3 letters begin with ''\n  write more of the id\n"),
        (["replay", "nope"], "error: there is no letter 'nope'\n  see: routekit letters list\n"),
        (["discard", "nope", "--why", "x"], "error: there is no letter 'nope'\n  see: routekit letters list\n"),
        (["discard", "--why", "x"], "error: which letters?\n  give ids, --cluster ID, or --all\n"),
        (["replay", "--route", "a.ticks"], "error: which letters?\n  give ids, --cluster ID, or --all\n"),
        (["replay", "x", "--all"], "error: which letters?\n  give either ids, or --cluster ID, or --all\n"),
        (["replay", "--cluster", "nope"], "error: there is no cluster 'nope'\n  see: routekit letters clusters\n"),
        (["list", "--route", "a.tikcs"], "error: route 'a.tikcs' has no dead letters\n  did you mean 'a.ticks'?\n"),
        (
            ["list", "--since", "yesterday"],
            "error: 'yesterday' is no time\n  write how long ago, such as 2h or 7d, or a time such as "
            "2026-01-31T08:00, in UTC unless it has a zone\n",
        ),
        (["replay", "--all", "--rate", "fast"], "error: 'fast' is no rate\n  write 5/s, 300/m or 1000/h\n"),
        (["replay", "--all", "--rate", "0/s"], "error: '0/s' is no rate\n  write 5/s, 300/m or 1000/h\n"),
        (["prune", "--older-than", "old"], "error: --older-than 'old' is no time\n  write 12h, 30d or 1h30m\n"),
        (["restore", "nope"], "error: no discarded letter 'nope' is kept\n  see: routekit letters discarded\n"),
    ],
)
def test_letters_that_cannot_be_chosen(after_run: Any, arguments: list[str], answer: str) -> None:
    """An id that is none, or no choice at all, is refused with exit code 2, and nothing is changed."""
    done = after_run("letters", *arguments)
    assert (done.code, done.out, done.err) == (2, "", answer)
    assert len(ids(after_run)) == 3


def test_no_store_yet(routekit: Any) -> None:
    """Where no route has run, that is what is said; looking makes no store."""
    done = routekit("letters", "list")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: there is no store 'data/routekit.db'\n")
    assert not (routekit.folder / "data").exists()


def test_store_that_is_locked(after_run: Any) -> None:
    """A store that another process has locked is one clear message and exit code 1."""
    file = after_run.folder / "data" / "routekit.db"
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        done = after_run("--set", f"store=sqlite:{file}?busy_timeout=0.1", "letters", "list")
    other.close()
    assert (done.code, done.out) == (1, "")
    assert "routekit.db' is locked by another process" in done.err


def test_file_that_is_no_store(routekit: Any) -> None:
    """A file that is no database is refused and left alone."""
    file = routekit.write("x.db", "this is not a database, but it is long enough to be read as one\n" * 20)
    done = routekit("--set", "store=sqlite:x.db", "letters", "list")
    assert done.code == 1
    assert done.err.startswith("error: the store 'x.db' is no SQLite database")
    assert file.read_text().startswith("this is not a database")


HISTORY = """from routekit import Policy, from_, rescue


def worse(n: int) -> int:
    raise OSError("disk of amqp://me:hunter2@host")


policy = Policy(history=True, rescue={ValueError: rescue(lambda n: n.transform(worse))})
ticks = from_("timer:t?every=1ms&repeat=1", int).log("one").transform(lambda n: int("x"))
"""


def test_show_the_way_of_a_message(routekit: Any) -> None:
    """The steps that it passed and the errors behind its error stand one below the other, without secrets."""
    routekit.write("routes/a.py", HISTORY)
    assert routekit("run").code == 1
    (letter,) = routekit("letters", "list", "--json").json
    out = routekit("letters", "show", letter["id"]).out
    steps = re.findall(r"^(?:history:|) +\+\d+\.\d{3} s  (.*)  \[.+\]$", out, re.MULTILINE)
    assert steps == ["log('one')", 'transform(int("x"))', "rescue ValueError > transform(worse)"]
    assert re.search(r"^causes:      ValueError: invalid literal .*'x'$", out, re.MULTILINE)
    assert "reason:      disk of amqp://me:***@host\n" in out
    assert [one["step"] for one in letter["history"]] == steps


def test_clusters(after_run: Any) -> None:
    """What is alike is one line, with how many and when; its id, cut short, chooses all of them."""
    head, line = after_run("letters", "clusters").out.splitlines()
    assert head.split() == ["cluster", "count", "first", "last", "route", "step", "failure"]
    cut, count, *_ = line.split()
    assert (count, line.rstrip().endswith("  a.ticks  transform(check)  ValueError: [odd] * of *")) == ("3", True)
    (cluster,) = after_run("letters", "clusters", "--json").json
    assert cluster["id"].startswith(cut)
    assert (cluster["count"], cluster["first"] < cluster["last"]) == (3, True)
    assert len(after_run("letters", "list", "--cluster", cut, "--json").json) == 3
    after_run.write("routes/a.py", MENDED)
    assert after_run("letters", "replay", "--cluster", cut, "--rate", "1000/s").out == "3 replayed, 0 failed again\n"
    assert after_run("letters", "clusters").out == "no dead letters\n"


def test_filters(after_run: Any) -> None:
    """By class, step, text and time."""
    for arguments, count in [
        (["--error", "ValueError"], 3),
        (["--error", "KeyError"], 0),
        (["--step", "check"], 3),
        (["--text", "[odd] 3"], 1),
        (["--since", "1h"], 3),
        (["--before", "2026-01-01"], 0),
    ]:
        assert len(after_run("letters", "list", "--json", *arguments).json) == count, arguments
    first, *_ = after_run("letters", "list", "--json", "--oldest").json
    assert first["body"] == 1


def test_edit_and_dry_run_and_replay(after_run: Any) -> None:
    """A body that would fail is seen to; it is mended, seen to work, and replayed; nothing was lost of what came."""
    first, *_ = ids(after_run)
    failing = after_run("letters", "dry-run", first)
    assert failing.code == 1
    assert failing.out.startswith("nothing would be sent\nand would fail at transform(check): ValueError: [odd] 5")
    edited = after_run("letters", "edit", first, "--body", "6", "--header", "by=hand", "--why", "typo", "--as", "ada")
    assert (edited.code, edited.out.split(";")[0]) == (0, f"{first} is edited")
    assert after_run("letters", "dry-run", first).out == "nothing would be sent\nand would be done\n"
    shown = after_run("letters", "show", first).out
    assert 'body:        5\nheaders:     {"timer.name": "t"}\nbody now:    6\n' in shown
    assert 'headers now: {"timer.name": "t", "by": "hand"}\n' in shown
    assert re.search(r"^edits: +\S+ \S+Z ada: body and headers, typo$", shown, re.MULTILINE)
    assert after_run("letters", "replay", first, "--as", "bob").out == "1 replayed, 0 failed again\n"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--body", '"many"'], "error: input should be a valid integer, unable to parse string as an integer"),
        (["--body", "many"], "error: --body is no JSON: Expecting value"),
        (["--body", "@nope"], "error: 'nope' cannot be read: No such file or directory\n  @ names a file\n"),
        (["--body", "1", "--text", "1"], "error: --body and --text both say what the body is\n  give one of them\n"),
        (["--header", "x"], "error: --header 'x' has no '='\n  write --header NAME=VALUE\n"),
        (["--drop-header", "x"], "error: the letter has no header 'x'\n  it has: timer.name\n"),
    ],
)
def test_edits_that_are_refused(after_run: Any, arguments: list[str], answer: str) -> None:
    """With what is wrong, and exit code 2; the letter stays as it was."""
    before = after_run("letters", "list", "--json").json
    done = after_run("letters", "edit", before[0]["id"], "--why", "x", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(answer), done.err
    assert after_run("letters", "list", "--json").json == before


def test_discard_and_restore(after_run: Any) -> None:
    """What was discarded is listed with the reason, and comes back as it was."""
    first, *_ = ids(after_run)
    before = after_run("letters", "show", first, "--json").json
    after_run("letters", "discard", first, "--why", "a test", "--as", "ada")
    assert re.search(
        rf"^{first}  \S+ \S+Z  ada  a test  a.ticks  ValueError: ", after_run("letters", "discarded").out, re.M
    )
    assert after_run("letters", "restore", first).out == f"{first} of a.ticks is a dead letter again\n"
    assert after_run("letters", "show", first, "--json").json == before
    assert after_run("letters", "discarded").out == "nothing was discarded\n"


def test_prune_and_export(after_run: Any) -> None:
    """Young letters stay; an export is one letter on each line."""
    lines = after_run("letters", "export").out.splitlines()
    assert [json.loads(line)["body"] for line in lines] == [1, 3, 5]
    assert after_run("letters", "prune", "--older-than", "1h").out == "0 forgotten\n"
    assert after_run("letters", "prune", "--older-than", "0s").out == "3 forgotten\n"


def test_audit(after_run: Any) -> None:
    """Who did what, the newest first; whoever is logged in if nothing else is said."""
    assert after_run("letters", "audit").out == "nothing was done\n"
    first, second, _ = ids(after_run)
    after_run("letters", "discard", second, "--why", "a test", "--as", "ada")
    after_run("letters", "replay", first)
    after_run("letters", "export")
    after_run("letters", "prune", "--older-than", "1h")
    deeds = after_run("letters", "audit", "--json").json
    assert [deed["action"] for deed in deeds] == [
        "letters.prune", "letters.export", "letters.replay", "letters.replay", "letters.replay", "letters.discard",
    ]  # fmt: skip
    assert (deeds[-1]["who"], deeds[-1]["what"]) == ("ada", second)
    assert deeds[0]["who"] not in ("ada", "")
    head, *lines = after_run("letters", "audit", "--limit", "1").out.splitlines()
    assert head.split() == ["when", "who", "action", "what", "details"]
    assert len(lines) == 1


def test_beside_the_daemon(routekit: Any) -> None:
    """While the daemon runs, letters are listed, edited, replayed and discarded by another process."""
    routekit.write("routes/a.py", BROKEN + 'alive = from_("timer:u?every=1h", int).log("alive")\n')
    daemon = routekit.start("serve")
    daemon.until("a.ticks: stopped")
    first, second, third = ids(routekit)
    assert routekit("letters", "edit", first, "--body", "4", "--why", "x").code == 0
    assert routekit("letters", "replay", first).out == "1 replayed, 0 failed again\n"
    assert routekit("letters", "discard", second, "--why", "x").out == "1 discarded\n"
    assert ids(routekit) == [third]
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0


def test_show_bytes_that_are_text(routekit: Any) -> None:
    """A body of bytes is shown as people can read it, where it is text."""
    routekit.write("in/a.txt", "n: 5\n")
    routekit.write(
        "routes/b.py",
        "from routekit import Policy, from_\n\n"
        'lines = from_("file:in?after=delete", bytes, policy=Policy(dead_letter="store"))'
        ".transform(lambda body: body.decode() / 2)\n",
    )
    done = routekit("run", "routes")
    assert done.code == 1, done.err
    (letter,) = routekit("letters", "list", "--json").json
    shown = routekit("letters", "show", letter["id"]).out
    assert "body:        5 bytes, which are text:\n             n: 5\n" in shown
