"""The laws of durable routes, held for random routes of words, and deaths at random operations."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Flow, Policy, Retry, Unavailable, from_
from tests.crashing import DEATHS, Crash, Outside, live, lives

pytestmark = pytest.mark.anyio

Word = Callable[[Flow[int], Any], Flow[int]]


def both(n: int) -> list[int]:
    return [n, n + 100]


def odd(n: int) -> int:
    return n % 2


def one_more(n: int) -> int:
    return n + 1


def named(number: int) -> str:
    return f"point-{number}"


WORDS: dict[str, Word] = {
    "to": lambda flow, sink: flow.to(sink),
    "transform": lambda flow, sink: flow.transform(one_more),
    "filter": lambda flow, sink: flow.filter(odd),
    "tap": lambda flow, sink: flow.tap(lambda tap: tap.to(sink)),
    "parts": lambda flow, sink: flow.gather(both, lambda each: each.to(sink)).transform(sum),
    "choice": lambda flow, sink: flow.choice().when(odd, lambda one: one.to(sink)).otherwise(lambda other: other),
    "loop": lambda flow, sink: flow.loop(lambda body: body.to(sink), times=2),
    "attempt": lambda flow, sink: flow.attempt(lambda body: body.to(sink).transform(one_more).to(sink)),
    "multicast": lambda flow, sink: flow.tap(lambda tap: tap.multicast(lambda a: a.to(sink), lambda b: b.to(sink))),
}


def flow_of(words: list[str], *, away: int) -> Callable[[Outside], Flow[Any]]:
    """A durable route of these words, behind which the other side is away for the first tries."""
    tries = [0]

    def flow(outside: Outside) -> Flow[Any]:
        def fails(n: int) -> int:
            tries[0] += 1
            if tries[0] <= away:
                raise Unavailable("away")
            return n

        policy = Policy(durable="store", retry=Retry(5, first=0.1))
        made: Flow[int] = from_(outside.source, int, policy=policy)
        for number, word in enumerate(words):
            made = made.checkpoint(named(number), int) if word == "checkpoint" else WORDS[word](made, outside.sink)
        return made.transform(fails).to(outside.sink)

    return flow


@given(
    words=st.lists(st.sampled_from([*WORDS, "checkpoint"]), min_size=1, max_size=5),
    deaths=st.lists(st.builds(Crash, st.integers(1, 30), st.sampled_from(DEATHS)), max_size=3),
    away=st.integers(0, 2),
)
@settings(max_examples=40)
async def test_no_death_loses_a_message_or_repeats_more_than_the_effect_that_it_met(
    words: list[str], deaths: list[Crash], away: int
) -> None:
    """Of each message the same effects happen as without any death, whatever the route, and once but for that one."""
    calm, torn = Outside([1, 2]), Outside([1, 2])
    await live(flow_of(words, away=0), calm, patience=100.0)
    await lives(flow_of(words, away=away), torn, deaths, patience=100.0)
    wanted, got = (Counter((one.id, one.body) for one in outside.sent) for outside in (calm, torn))
    assert not wanted - got, f"lost: {wanted - got}"
    assert (got - wanted).total() <= len(torn.crashed), f"repeated: {got - wanted}"
    assert not torn.waiting
    assert not torn.letters
    assert await torn.store.journal("route-1").count() == 0
