"""A new kind of failure is told once, and again when there is ten times as much of it."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from routekit import ClusterGrew, Policy, StoreError, dead_letters, from_
from routekit.console import line_of
from routekit.events import Logged
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

pytestmark = pytest.mark.anyio


def fail(n: int) -> int:
    raise ValueError(f"order {n} is unknown")


async def test_the_first_and_then_tenfold() -> None:
    """For each kind of failure; nothing for those in between."""
    flow = from_(Feed(range(120)), int).transform(lambda n: fail(n) if n % 2 else [][n])
    run = await run_routes(flow)
    told = [(event.error, event.count, event.new) for event in run.of(ClusterGrew)]
    assert told == [(kind, n, n == 1) for n in (1, 10) for kind in ("IndexError", "ValueError")]
    assert run.of(ClusterGrew)[1].text == "order * is unknown"
    assert run.of(ClusterGrew)[1].cluster == next(one.cluster for one in run.letters if one.error == "ValueError")


async def test_a_restart_does_not_tell_again() -> None:
    """What is in the store counts, whoever has kept it."""
    store = MemoryStore(lambda: 0.0)
    counts: list[int] = []
    for life in range(3):
        setup = setup_for(Run(), store=store, random=Random(life))
        run = await run_routes(r=from_(Feed(range(4)), int).transform(fail), setup=setup)
        counts += [event.count for event in run.of(ClusterGrew)]
    assert counts == [1, 10]


async def test_what_comes_back_is_new() -> None:
    """Letters that were taken away are seen to be gone, once a count is old."""
    store, run = MemoryStore(lambda: 0.0), Run()
    now = [0.0]

    async def clear(n: int) -> int:
        if n == 1:
            await store.letters.prune(before=1e12)
            now[0] += 100.0
        raise ValueError("away")

    setup = setup_for(run, store=store, now=lambda: now[0])
    await run_routes(r=from_(Feed(range(2)), int).transform(clear), setup=setup)
    assert [event.count for event in run.of(ClusterGrew)] == [1, 1]


async def test_a_flood_of_kinds_is_not_told_whole() -> None:
    """Ten alerts in a minute; the others are told with a later letter."""
    run, now = Run(), [0.0]

    def worse(n: int) -> int:
        now[0] += 100.0 if n == 30 else 0.0
        raise type(f"Error{n % 30}", (Exception,), {})("away")

    await run_routes(from_(Feed(range(33)), int).transform(worse), setup=setup_for(run, now=lambda: now[0]))
    told = [(event.error, event.count) for event in run.of(ClusterGrew)]
    assert told == [(f"Error{n}", 1) for n in range(10)]


class _Uncounted(MemoryStore):
    """A store whose letters cannot be counted."""

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        inner = self.letters

        class Letters:
            async def count(self, **asked: Any) -> int:
                raise StoreError("the disk is away")

            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

        self.letters: Any = Letters()


async def test_a_store_that_cannot_count() -> None:
    """The letter is kept, and the message is done; that nothing can be told is logged."""
    feed = Feed([1])
    run = await run_routes(from_(feed, int).transform(fail), store=_Uncounted(lambda: 0.0))
    assert (len(run.letters), len(feed.acknowledged), run.of(ClusterGrew)) == (1, 1, [])
    assert any("cannot be counted: the disk is away" in event.text for event in run.of(Logged))


async def test_letters_that_go_elsewhere_are_no_cluster() -> None:
    """Who has a branch for dead letters hears of each."""
    policy = Policy(dead_letter=dead_letters(lambda letters: letters.to(Sink())))
    run = await run_routes(from_(Feed([1]), int, policy=policy).transform(fail))
    assert run.of(ClusterGrew) == []


def test_the_line_in_the_log() -> None:
    """It names the cluster as the commands take it."""
    event = ClusterGrew("shop.orders", "0123456789abcdef", "to crm", "KeyError", "*", 1, True)
    assert line_of(event)[1] == "shop.orders: a new kind of dead letter (cluster 01234567) at to crm: KeyError: *"
    assert "10 dead letters of a kind (cluster" in line_of(replace(event, count=10, new=False))[1]
