"""`routekit letters`: what failed is found, read, replayed after the fault is mended, or discarded."""

import re
import shutil
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
    """A letter that fails again is told with its reason and kept as it is; the exit code is 1."""
    before = after_run("letters", "list", "--json").json
    done = after_run("letters", "replay", "--all")
    assert (done.code, done.out) == (1, "0 replayed, 3 failed again\n")
    assert f"{before[0]['id']}: ValueError: [odd] 5\\nof amqp://me:***@host\n" in done.err
    assert after_run("letters", "list", "--json").json == before


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
    """A letter is discarded by its id, all of a route by --all and --route."""
    first, *others = ids(after_run)
    assert after_run("letters", "discard", first).out == "1 discarded\n"
    assert ids(after_run) == others
    assert after_run("letters", "discard", "--all", "--route", "a.other").out == "0 discarded\n"
    assert after_run("letters", "discard", "--all", "--route", "a.ticks").out == "2 discarded\n"
    assert ids(after_run) == []


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["show", "nope"], "error: there is no letter 'nope'\n  see: routekit letters list\n"),
        (["show", ""], "error: 3 letters begin with ''\n  write more of the id\n"),
        (["replay", "nope"], "error: there is no letter 'nope'\n  see: routekit letters list\n"),
        (["discard", "nope"], "error: there is no letter 'nope'\n  see: routekit letters list\n"),
        (["discard"], "error: which letters?\n  give one id, or --all\n"),
        (["replay", "x", "--all"], "error: which letters?\n  give one id, or --all\n"),
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
