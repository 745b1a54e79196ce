"""`routekit store`: numbers, a copy, space given back, and keys."""

import json
from typing import Any

import pytest

FAILING = """
from routekit import from_

def fail(body):
    raise ValueError("no such order")

orders = from_("timer:x?every=1ms&repeat=3", float).transform(fail)
"""


@pytest.fixture
def after_run(routekit: Any) -> Any:
    routekit.write("routes/shop.py", FAILING)
    assert routekit("run", "--count", "3").code == 1
    return routekit


def test_stats(after_run: Any) -> None:
    """Tells kinds, names, counts and the oldest of each, for people and as JSON."""
    done = after_run("store", "stats")
    assert done.code == 0
    assert done.out.split()[:8] == [
        "kind",
        "name",
        "count",
        "oldest",
        "letters",
        "shop.orders",
        "3",
        done.out.split()[7],
    ]
    (held,) = [held for held in after_run("store", "stats", "--json").json if held["kind"] == "letters"]
    assert (held["name"], held["count"]) == ("shop.orders", 3)
    assert held["oldest"] > 1_700_000_000


def test_stats_of_an_empty_store(routekit: Any) -> None:
    """Says so; where there is no store, none is made."""
    none = routekit("store", "stats")
    assert (none.code, "there is no store" in none.err) == (1, True)
    assert not (routekit.folder / "data").exists()
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:x?repeat=1", float)\n')
    assert routekit("run").code == 0
    assert routekit("store", "stats").out == "the store is empty\n"


def test_export(after_run: Any) -> None:
    """A line that tells the version, then a line for each thing; the warning is beside the lines."""
    done = after_run("store", "export")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, lines[0]["kind"], lines[0]["version"]) == (0, "export", 1)
    assert [(line["kind"], line["name"], line["held"]["error"]) for line in lines[1:]] == [
        ("letters", "shop.orders", "ValueError")
    ] * 3
    assert "secret" in done.err


def test_export_to_a_file(after_run: Any) -> None:
    """A new file is written; one that is there is left alone."""
    done = after_run("store", "export", "all.jsonl")
    assert (done.code, done.out) == (0, "3 written to all.jsonl\n")
    assert len((after_run.folder / "all.jsonl").read_text().splitlines()) == 4
    again = after_run("store", "export", "all.jsonl")
    assert (again.code, "is there already" in again.err) == (2, True)
    assert len((after_run.folder / "all.jsonl").read_text().splitlines()) == 4


def test_vacuum(after_run: Any) -> None:
    """Makes the file smaller when much of it is gone, and loses nothing else."""
    file = after_run.folder / "data" / "routekit.db"
    before = after_run("store", "stats", "--json").json
    assert after_run("store", "vacuum").out == "done\n"
    assert after_run("store", "stats", "--json").json == before
    assert file.stat().st_size > 0


def test_a_key_encrypts_the_store(routekit: Any) -> None:
    """What `store key` prints is taken by `?key=`; without it nobody can look."""
    key = routekit("store", "key").out.strip()
    assert key != routekit("store", "key").out.strip()
    routekit.write("routes/shop.py", FAILING)
    given = ("--set", "store=sqlite:data/x.db?key=${STORE_KEY}")
    assert routekit(*given, "run", "--count", "3", STORE_KEY=key).code == 1
    assert routekit(*given, "letters", "list", STORE_KEY=key).out.count("no such order") == 3
    assert b"no such order" not in (routekit.folder / "data" / "x.db").read_bytes()
    wrong = routekit("--set", "store=sqlite:data/x.db", "letters", "list")
    assert (wrong.code, "the store is encrypted" in wrong.err) == (1, True)
    other = routekit(*given, "letters", "list", STORE_KEY=routekit("store", "key").out.strip())
    assert (other.code, "encrypted with another key" in other.err, key in other.said) == (1, True, False)


def test_a_second_service_is_refused(routekit: Any) -> None:
    """With exit code 1, and the process that is there."""
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:x?every=1h", float)\n')
    daemon = routekit.start("serve")
    daemon.until("running")
    done = routekit("run")
    assert done.code == 1
    assert f"in use by another service, process {daemon.process.pid}" in done.err
    assert routekit("store", "stats").code == 0
