"""load_balance"""

import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, Policy, from_
from routekit.eip.load_balance import by_hash, in_turn
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

pytestmark = pytest.mark.anyio


def marks(number: int) -> Any:
    return lambda flow: flow.transform(lambda body: (number, body))


THREE = [marks(0), marks(1), marks(2)]


async def chosen(bodies: Any, *branches: Any, **options: Any) -> list[int]:
    """Which branch each message went through."""
    sink = Sink()
    await run_routes(from_(Feed(bodies)).load_balance(*branches, **options).to(sink))
    assert [body for _, body in sink.bodies] == list(bodies)
    return [number for number, _ in sink.bodies]


async def test_messages_go_round() -> None:
    """Each branch in turn; what the branch gives goes on."""
    assert await chosen(range(7), *THREE) == [0, 1, 2, 0, 1, 2, 0]


async def test_weights_are_shares() -> None:
    """Spread as evenly as can be within a round."""
    assert await chosen(range(14), *THREE, weights=(5, 1, 1)) == [0, 0, 1, 0, 2, 0, 0] * 2
    assert await chosen(range(4), *THREE, weights=[0, 1, 0]) == [1] * 4


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(any))
def test_shares_are_exact_over_each_round(weights: list[int]) -> None:
    """After as many messages as the weights add up to, each branch has had exactly its own."""
    size, turns = sum(weights), in_turn(weights)
    rounds = [list(islice(turns, size)) for _ in range(3)]
    assert rounds[0] == rounds[1] == rounds[2]
    for one in rounds:
        assert [one.count(branch) for branch in range(len(weights))] == weights


@given(st.lists(st.integers(1, 20), min_size=2, max_size=6))
def test_no_branch_gets_far_ahead(weights: list[int]) -> None:
    """At any time a branch has had its share so far, give or take less than the number of branches."""
    had: Counter[int] = Counter()
    for count, branch in enumerate(islice(in_turn(weights), 2 * sum(weights)), 1):
        had[branch] += 1
        for number, weight in enumerate(weights):
            assert abs(had[number] - count * weight / sum(weights)) < len(weights)


async def test_by_chance() -> None:
    """From the runtime's generator, so that a test can own it; weights are shares in the long run."""

    async def run(seed: int) -> list[Any]:
        sink = Sink()
        flow = from_(Feed(range(3000))).load_balance(*THREE, by="random", weights=(1, 0, 2)).to(sink)
        await run_routes(flow, setup=setup_for(Run(), random=Random(seed)))
        return sink.bodies

    one = await run(1)
    assert one == await run(1)
    assert one != await run(2)
    had = Counter(number for number, _ in one)
    assert set(had) == {0, 2}
    assert had[2] / had[0] == pytest.approx(2, rel=0.15)


async def later(body: dict[str, Any], message: Message[Any]) -> Any:
    await anyio.sleep(1)
    return body["key"]


@pytest.mark.parametrize("by", [lambda body: body["key"], lambda body, message: message.body["key"], later])
async def test_messages_of_one_key_go_to_one_branch(by: Any) -> None:
    """Always the same, whatever else is under way."""
    keys = ["ann", "bob", 7, ("x", 1)]
    bodies = [{"key": key} for key in keys * 5]
    assert (
        await chosen(bodies, *THREE, by=by)
        == [by_hash(k, (1, 1, 1)) for k in ["ann", "bob", "int:7", "tuple:('x', 1)"]] * 5
    )


@pytest.mark.parametrize("key", [None, "", object()])
async def test_a_key_that_would_not_come_again_rejects_the_message(key: Any) -> None:
    """With the reason."""
    run = await run_routes(from_(Feed([1])).load_balance(*THREE, by=lambda body: key))
    assert [letter.error for letter in run.letters] == ["BodyError"]


@given(st.lists(st.text(min_size=1), max_size=30), st.integers(1, 6))
def test_a_branch_that_is_added_only_takes_over(keys: list[str], size: int) -> None:
    """No key moves from one of the others to another."""
    for key in keys:
        before, after = by_hash(key, (1,) * size), by_hash(key, (1,) * (size + 1))
        assert after in (before, size)


@given(st.text(min_size=1), st.lists(st.integers(0, 9), min_size=2, max_size=6).filter(any), st.data())
def test_a_weight_that_grows_only_takes_over(key: str, weights: list[int], data: st.DataObject) -> None:
    """And a branch without weight has no keys."""
    grows = data.draw(st.integers(0, len(weights) - 1))
    heavier = [weight + 5 * (number == grows) for number, weight in enumerate(weights)]
    before = by_hash(key, weights)
    assert weights[before] > 0
    assert by_hash(key, heavier) in (before, grows)


def test_keys_are_spread_by_weight() -> None:
    """In the long run."""
    had = Counter(by_hash(f"key-{n}", (1, 2, 5)) for n in range(8000))
    assert [had[n] / 1000 for n in range(3)] == pytest.approx([1, 2, 5], rel=0.1)


def test_keys_stay_where_they_are_over_a_restart() -> None:
    """Whatever Python's own hash is there; the first ten are written down, since a new version must keep them too."""
    say = "from routekit.eip.load_balance import by_hash; print([by_hash(f'key-{n}', (1, 2, 3)) for n in range(10)])"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", say], env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == "[1, 0, 1, 1, 1, 2, 1, 2, 2, 2]"


async def test_a_failure_in_a_branch_is_the_messages_own() -> None:
    """Another one is not tried: that is `failover`."""
    branches: Any = [lambda f: f.transform(lambda n: 1 // n), lambda f: f]
    feed = Feed([0, 1, 2])
    await run_routes(from_(feed, int, policy=Policy(dead_letter="refuse")).load_balance(*branches))
    assert [name for name, _ in feed.refused] == ["feed-1"]


async def test_what_follows_gets_what_the_branch_gives() -> None:
    """A branch that ends the message ends it."""
    sink = Sink()
    branches: Any = [lambda f: f.stop(), lambda f: f.transform(str)]
    await run_routes(from_(Feed([1, 2, 3, 4]), int).load_balance(*branches).to(sink))
    assert sink.bodies == ["2", "4"]


def test_wrong_options_are_refused_when_written() -> None:
    """Branches, words, weights."""
    flow: Any = from_("timer:x")
    for options in (
        {"weights": (1, 2)},
        {"weights": (1, 2, -1)},
        {"weights": (0, 0, 0)},
        {"weights": ()},
        {"by": "roundrobin"},
        {"by": 3},
    ):
        with pytest.raises(DefinitionError):
            flow.load_balance(*THREE, **options)
    with pytest.raises(DefinitionError):
        flow.load_balance()
    with pytest.raises(DefinitionError, match="did you mean 'round_robin'"):
        flow.load_balance(*THREE, by="round robin")


def test_it_can_be_drawn() -> None:
    """With how a branch is found."""
    flow: Flow[Any] = from_("timer:x")
    (step,) = flow.load_balance(*THREE).chain.steps
    assert step.label == "load_balance(by round_robin)"
    assert [name for name, _ in step.branches()] == ["branch-1", "branch-2", "branch-3"]
    (step,) = flow.load_balance(*THREE, by=str, weights=(3, 1, 1)).chain.steps
    assert step.label == "load_balance(by str, weights=3:1:1)"
