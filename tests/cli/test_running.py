"""`serve` and `run` as processes: they start, obey signals, and end with the right exit code."""

import signal
import sqlite3
from pathlib import Path
from time import sleep, time
from typing import Any

import pytest
from anyio import run

from routekit.plugins import Catalog

WAITING = """
from pathlib import Path

import anyio

from routekit import from_

async def until_told(n: int) -> int:
    print("at work", flush=True)
    while not Path("go").exists():
        await anyio.sleep(0.01)
    return n

slow = from_("timer:x?every=1ms", int).transform(until_told).log("finished {body}")
"""
"""A route whose first message is at work until the file `go` is there."""

AWAY = """
from contextlib import asynccontextmanager

from routekit import Producer, Unavailable, from_

class Away(Producer):
    scheme = "away"
    name: str = "x"

    @asynccontextmanager
    async def open(self, runtime):
        raise Unavailable("amqp://me:hunter2@host is away", hint="start it")
        yield

lost = from_("timer:x?every=1ms").to(Away())
"""
TICKS = 'from routekit import from_\nticks = from_("timer:x?every=1ms&repeat={0}", int).log("tick {{body}}")\n'


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_orderly_stop(routekit: Any, stop: signal.Signals) -> None:
    """A signal stops the sources, the message at work is finished and told, and the exit code is 0."""
    routekit.write("routes/a.py", WAITING)
    running = routekit.start("serve")
    running.until("a.slow: running")
    running.until("at work")
    running.signal(stop)
    running.until(f"{stop.name}: stopping, 1 in flight; once more to stop at once")
    routekit.write("go", "")
    assert running.ended() == 0
    assert running.log.count("at work") == 1
    assert "a.slow: finished 1" in running.log
    assert "a.slow: stopped after 1 messages: 1 done" in running.log
    assert "Traceback" not in running.log


def test_second_signal_forces(routekit: Any) -> None:
    """A second signal ends everything at once, and what was not finished is told."""
    routekit.write("routes/a.py", WAITING)
    running = routekit.start("serve")
    running.until("at work")
    running.signal(signal.SIGTERM)
    running.until("stopping, 1 in flight")
    running.signal(signal.SIGTERM)
    running.ended()
    assert "SIGTERM again: stopping at once, what is unfinished will be redelivered" in running.log
    assert "0 done" in running.log
    assert "1 unfinished will be redelivered" in running.log
    assert "Traceback" not in running.log


def test_drain_time_is_kept(routekit: Any) -> None:
    """A message that is not finished within the drain time does not hold up the end."""
    routekit.write("routes/a.py", WAITING)
    running = routekit.start("--set", "drain=50ms", "serve")
    running.until("at work")
    running.signal(signal.SIGTERM)
    running.ended()
    assert "1 unfinished will be redelivered" in running.log


DRAINING = """
from pathlib import Path
import anyio
from routekit import Policy, from_

async def wait(number, message):
    with Path("done").open("a") as done:
        print(message.id, file=done)
    while not Path("go").exists():
        await anyio.sleep(0.02)

kept = (
    from_("timer:k?every=1ms&repeat=9", int, policy=Policy(durable="store", concurrency=3))
    .tap(lambda copy: copy.transform(wait))
    .to("log:kept")
)
lost = from_("timer:l?every=1ms&repeat=9", int, policy=Policy(concurrency=2)).transform(wait)
batch = from_("timer:b?every=1ms&repeat=4", int).log("batched {body}").batch("four", int, size=10)
"""


def told(log: str, route: str, what: str) -> dict[str, str]:
    """The messages that a line of the log names, each with the step that it is at."""
    (line,) = [line for line in log.splitlines() if f"{route}: " in line and what in line]
    named = line.partition(what)[2].removeprefix(": ")
    return {part.split(" at ")[0]: part.split(" at ")[1].rpartition(" for ")[0] for part in named.split(", ") if part}


async def journaled(folder: Path) -> tuple[set[str], dict[tuple[str, str], int]]:
    """What a store has in the journal of `a.kept`, and how much of each kind it holds."""
    async with Catalog().open_store(f"sqlite:{folder}/data/routekit.db", time) as store:
        entries = await store.journal("a.kept").take(owner=store.owner, limit=100)
        return {entry.id for entry in entries}, {(held.kind, held.name): held.count for held in await store.contents()}


@pytest.mark.parametrize("twice", [False, True], ids=["drain time", "second signal"])
def test_what_a_stop_leaves_is_what_it_says(routekit: Any, twice: bool) -> None:
    """What is in flight is named with its step; what stays is in the journal, by the same ids, and done next time."""
    routekit.write("routes/a.py", DRAINING)
    running = routekit.start("--set", f"drain={60 if twice else 0.3}", "serve")
    running.until("batched 4")
    begun = routekit.folder / "done"
    while not (begun.exists() and len(begun.read_text().split()) == 5):
        assert running.process.poll() is None, running.log
        sleep(0.02)
    running.signal(signal.SIGTERM)
    running.until("in flight; once more to stop at once")
    running.until("a.kept: waiting up to")
    if twice:
        running.signal(signal.SIGTERM)
    assert running.ended() == 3
    log = running.log
    waited = told(log, "a.kept", "for 3 in flight")
    left = told(log, "a.kept", "3 unfinished stay in the journal")
    again = told(log, "a.lost", "2 unfinished will be redelivered")
    assert set(waited.values()) == {"tap > transform(wait)"}
    assert waited == left
    assert set(left) | set(again) == set(begun.read_text().split())
    assert "a.kept: 3 messages in the journal go on at the next start" in log
    assert "a.batch: 4 messages kept by four go on at the next start" in log
    ids, held = run(journaled, routekit.folder)
    assert ids == set(left)
    assert (held["journal", "a.kept"], held["groups", "four"]) == (3, 4)
    begun.unlink()
    routekit.write("go", "")
    running = routekit.start("serve", "--route", "a.kept")
    running.until("a.kept: stopped")
    assert running.ended() == 0
    assert set(left) <= set(begun.read_text().split())
    assert run(journaled, routekit.folder)[0] == set()


def test_interrupt_while_modules_are_read(routekit: Any) -> None:
    """Ctrl-C before anything runs ends without a traceback, and not with success."""
    routekit.write("routes/a.py", "import time\nprint('reading', flush=True)\ntime.sleep(30)\n")
    running = routekit.start("serve")
    running.until("reading")
    running.signal(signal.SIGINT)
    assert running.ended() not in (0, 2)
    assert "Traceback" not in running.log


def test_nothing_starts_with_a_problem(routekit: Any) -> None:
    """If any module cannot be read, nothing is started: exit code 2, with the author's file and line."""
    routekit.write("routes/a.py", TICKS.format(1))
    routekit.write("routes/b.py", "import json\njson.loads('{')\n")
    for command in ("serve", "run"):
        done = routekit(command)
        assert (done.code, done.out) == (2, "")
        first, second = done.err.splitlines()
        assert first.startswith("routes/b.py:2: module 'b' cannot be imported: JSONDecodeError: ")
        assert second == "1 problem: nothing was started"
    assert not (routekit.folder / "data").exists()


def test_run_ends_when_nothing_is_left(routekit: Any) -> None:
    """`run` works until the sources are exhausted and the queues empty, and ends with 0."""
    routekit.write(
        "routes/a.py",
        'from routekit import from_\nfeed = from_("timer:x?every=1ms&repeat=3", int).to("queue:q")\n'
        'worker = from_("queue:q", int).log("got {body}")\n',
    )
    done = routekit("run")
    assert done.code == 0
    for number in (1, 2, 3):
        assert f"a.worker: got {number} [" in done.err
    assert "a.worker: stopped after 3 messages: 3 done" in done.err


def test_serve_ends_with_its_sources(routekit: Any) -> None:
    """`serve` ends by itself, with 0, once all its sources are exhausted."""
    routekit.write("routes/a.py", TICKS.format(2))
    done = routekit("serve")
    assert (done.code, "2 done" in done.err) == (0, True)


def test_run_of_so_many_messages(routekit: Any) -> None:
    """`run --count 3` takes three messages from a source that has more, and all three are done."""
    routekit.write("routes/a.py", TICKS.format(1000))
    done = routekit("run", "--count", "3")
    assert done.code == 0
    assert "stopped after 3 messages: 3 done" in done.err


def test_run_with_dead_letters(routekit: Any) -> None:
    """A message that became a dead letter makes the exit code 1; its secrets are in no line."""
    routekit.write(
        "routes/a.py",
        "from routekit import from_\n"
        "def broken(n: int) -> int:\n"
        "    raise ValueError('cannot reach amqp://me:hunter2@host')\n"
        'ticks = from_("timer:x?every=1ms&repeat=1", int).transform(broken)\n',
    )
    done = routekit("run")
    assert done.code == 1
    assert "dead letter at transform(broken): ValueError: cannot reach amqp://me:***@host" in done.err
    assert "1 dead letters" in done.err


def test_sink_that_is_away_degrades_its_route(routekit: Any) -> None:
    """A route whose sink is away is degraded, with the reason; the others run; at the end the exit code says it."""
    routekit.write("routes/away.py", AWAY)
    routekit.write("routes/fine.py", TICKS.format(1000))
    done = routekit("run", "--count", "2")
    assert done.code == 1
    assert "away.lost: degraded, again in " in done.err
    assert "Unavailable: amqp://me:***@host is away; start it" in done.err
    assert "fine.ticks: stopped after 2 messages: 2 done" in done.err


def test_chosen_routes(routekit: Any) -> None:
    """`--route` runs only the routes that it names or that fit a pattern, and refuses what none is called."""
    routekit.write("routes/a.py", TICKS.format(1))
    routekit.write("routes/b.py", AWAY)
    for name in ("a.ticks", "a.*"):
        done = routekit("run", "--route", name)
        assert (done.code, "a.ticks" in done.err, "b.lost" in done.err) == (0, True, False)
    assert "there is no route 'c.*'" in routekit("run", "--route", "c.*").err
    wrong = routekit("serve", "--route", "a.tick")
    assert (wrong.code, wrong.err) == (2, "error: there is no route 'a.tick'\n  did you mean 'a.ticks'?\n")


def test_state_is_kept_in_the_data_folder(routekit: Any) -> None:
    """By default state is kept in `data/routekit.db`; the folder is made, also another one that is set."""
    routekit.write("routes/a.py", TICKS.format(1))
    assert routekit("run").code == 0
    assert (routekit.folder / "data" / "routekit.db").is_file()
    assert routekit("run", ROUTEKIT_DATA="else/where").code == 0
    assert (routekit.folder / "else" / "where" / "routekit.db").is_file()
    assert not list(routekit.folder.glob("*{*"))


def test_where_settings_lie(routekit: Any) -> None:
    """Settings are read above the routes, rather from the working directory, and rather still where --config says."""
    routekit.write("app/routes/a.py", 'from routekit import from_\nx = from_("timer:x?every=${EVERY}")\n')
    routekit.write("app/routekit.toml", '[values]\nEVERY = "above"\n')
    assert "found 'above'" in routekit("check", "app/routes").err
    routekit.write("routekit.toml", '[values]\nEVERY = "here"\n')
    assert "found 'here'" in routekit("check", "app/routes").err
    routekit.write("other.toml", '[values]\nEVERY = "other"\n')
    assert "found 'other'" in routekit("--config", "other.toml", "check", "app/routes").err


def test_store_that_cannot_be_opened(routekit: Any) -> None:
    """A store that cannot be opened is one clear message and exit code 1."""
    routekit.write("routes/a.py", TICKS.format(1))
    routekit.write("file", "")
    done = routekit("--set", "store=sqlite:file/x.db", "run")
    assert (done.code, done.out) == (1, "")
    first, second = done.err.splitlines()
    assert first.startswith("error: the store 'file/x.db' cannot be opened: ")
    assert second == "  the path must be a file in a folder that this user may write"


def test_store_that_is_locked(routekit: Any) -> None:
    """A store that another process has locked is one clear message and exit code 1."""
    routekit.write("routes/a.py", TICKS.format(1))
    with sqlite3.connect(routekit.folder / "x.db") as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        done = routekit("--set", "store=sqlite:x.db?busy_timeout=0.1", "run")
    other.close()
    assert (done.code, done.out) == (1, "")
    assert "error: the store 'x.db' is locked by another process" in done.err


def test_unknown_store(routekit: Any) -> None:
    """A kind of store that nobody offers is refused with those that there are, and exit code 2."""
    routekit.write("routes/a.py", TICKS.format(1))
    done = routekit("--set", "store=redis:x", "run")
    assert done.code == 2
    assert done.err.startswith("error: no store of kind 'redis'\n  known: memory, ")


def test_typing_errors(routekit: Any) -> None:
    """A command, option or number that cannot be is refused with exit code 2."""
    for arguments in (["serv"], ["run", "--cuont", "1"], ["run", "--count", "0"], ["show", "--as", "svg"]):
        done = routekit(*arguments)
        assert (done.code, done.out) == (2, ""), arguments
        assert done.err.startswith("Usage: routekit ")
