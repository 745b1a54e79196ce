"""`simulate`: what it prints, and with which exit code it ends."""

from pathlib import Path
from typing import Any

import pytest

GOOD = '''"""Orders are booked once."""

from routekit import from_

orders = from_("rabbitmq:orders", int).idempotent("seen", key=lambda n: n).to("direct:book")
book = from_("direct:book", int).to("rabbitmq:booked")
other = from_("rabbitmq:others", int).to("mock:others")
'''

BAD = '''"""A step of our own lets what follows run in the background, and nobody waits for it."""

from dataclasses import dataclass

from routekit import PLAIN, Step, from_


@dataclass(frozen=True)
class Background(Step):
    conduct = PLAIN

    def bind(self, proceed, runtime):
        async def handle(message):
            runtime.spawn(lambda: _run(proceed, message))

        return handle


async def _run(proceed, message):
    await proceed(message)


orders = from_("rabbitmq:orders", int).then(Background()).to("mock:booked")
'''


@pytest.fixture(autouse=True)
def _with_broker() -> None:
    pytest.importorskip("routekit_rabbitmq")


def test_good_routes(routekit: Any) -> None:
    """Routes that feed each other are one line, each invariant has a tick, and the exit code is 0."""
    routekit.write("routes/shop.py", GOOD)
    done = routekit("simulate", "--seeds", "5")
    assert done.code == 0, done.said
    assert "shop.book, shop.orders" in done.out or "shop.orders, shop.book" in done.out
    assert "shop.other " in done.out
    assert "every invariant holds" in done.out
    assert "✗" not in done.out
    assert not Path(routekit.folder, "data").exists()


def test_one_route_of_them(routekit: Any) -> None:
    """With --route only that one is run, and those that it feeds."""
    routekit.write("routes/shop.py", GOOD)
    told = routekit("simulate", "--seeds", "3", "--route", "shop.other", "--json").json
    assert [unit["routes"] for unit in told["units"]] == [["shop.other"]]
    assert told["ok"]
    assert told["units"][0]["effects"] >= 3 * 6


def test_a_defect_is_shown_and_runs_again(routekit: Any) -> None:
    """A violation has a story and a command; that command shows it again, and the exit code is 1 each time."""
    routekit.write("routes/shop.py", BAD)
    done = routekit("simulate", "--seeds", "40", "--faults", "crash", "--fail-fast")
    assert done.code == 1, done.said
    assert "violated" in done.out
    [again, *_] = [line for line in done.out.splitlines() if "again: routekit simulate" in line]
    _, seed, _, schedule = again.split("simulate ")[1].split(" ", 3)
    shown = routekit("simulate", "--seed", seed, "--schedule", schedule.strip("'"))
    assert shown.code == 1
    story = [line for line in done.out.splitlines() if line.startswith("    1. ")]
    assert story[0] in shown.out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--time", "soon"], "--time is 'soon'"),
        (["--faults", "fire"], "there is no fault 'fire'"),
        (["--schedule", "nothing"], "--schedule needs the run"),
        (["--seed", "1", "--schedule", "explode now"], "'explode now' is no fault of a schedule"),
        (["--inputs", "no.json"], "--inputs cannot be read"),
        (["--route", "shop.nothing"], "there is no route 'shop.nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(routekit: Any, arguments: list[str], said: str) -> None:
    """A mistake on the command line is one message, and the exit code is 2."""
    routekit.write("routes/shop.py", GOOD)
    done = routekit("simulate", *arguments)
    assert done.code == 2, done.said
    assert said in done.err


def test_two_processes_tell_the_same(routekit: Any) -> None:
    """What a seed does depends on nothing of the process: not even on how it hashes texts."""
    routekit.write("routes/shop.py", BAD)
    told = [routekit("simulate", "--seeds", "8", "--json", PYTHONHASHSEED=seed).out for seed in ("1", "2")]
    assert told[0] == told[1]
    assert '"story": [' in told[0]


def test_bodies_from_a_file(routekit: Any) -> None:
    """`--inputs` gives the bodies of a route, and what fits no type becomes a dead letter in every run."""
    routekit.write("routes/shop.py", GOOD)
    routekit.write("bodies.json", '{"shop.other": [1, 2, "x"]}')
    told = routekit("simulate", "--seeds", "2", "--route", "shop.other", "--inputs", "bodies.json", "--json").json
    assert told["ok"]
    assert told["units"][0]["messages"] == 2 * 3
