"""update"""

import json
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Flow, Message, Policy, from_
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

from ..crashing import Outside, every_crash, wall

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Total:
    count: int = 0
    amount: int = 0


@dataclass(frozen=True)
class Order:
    customer: str
    amount: int


def added(total: Total, order: Order) -> Total:
    return Total(total.count + 1, total.amount + order.amount)


def totals(source: Any, **options: Any) -> Flow[Any]:
    given: dict[str, Any] = {"key": lambda order: order.customer, "body": Total, "change": added, "first": Total()}
    policy = Policy(concurrency=options.pop("slots", 1))
    return from_(source, Order, policy=policy).update("totals", **{**given, **options})


def store() -> MemoryStore:
    return MemoryStore(wall)


ORDERS = [Order("ann", 5), Order("bob", 1), Order("ann", 7)]


async def test_each_message_changes_the_value_of_its_key() -> None:
    """The first one begins with `first`; the body goes on as it is, or merged with the value."""
    kept, sink, plain = store(), Sink(), Sink()
    await run_routes(totals(Feed(ORDERS), merge=lambda order, total: (order.customer, total)).to(sink), store=kept)
    assert sink.bodies == [("ann", Total(1, 5)), ("bob", Total(1, 1)), ("ann", Total(2, 12))]
    await run_routes(totals(Feed([Order("ann", 1)])).to(plain), store=kept)
    assert plain.bodies == [Order("ann", 1)]
    assert [key for key, _ in await kept.values("totals").items()] == ["ann", "bob"]


async def test_a_message_that_comes_again_changes_nothing() -> None:
    """Also after others have changed the value; it goes on with what is there now."""
    kept, sink = store(), Sink()
    messages = [Message(Order("ann", 1), id=name) for name in ("m1", "m2", "m1", "m3", "m1")]
    await run_routes(totals(Feed(messages), merge=lambda order, total: total.count).to(sink), store=kept)
    assert sink.bodies == [1, 2, 2, 3, 3]


async def test_only_the_last_ids_are_remembered() -> None:
    """As many as was asked for: one that comes again after more than that counts again."""
    kept, sink = store(), Sink()
    messages = [Message(Order("ann", 1), id=name) for name in ("m1", "m2", "m1", "m3", "m1")]
    await run_routes(totals(Feed(messages), remember=2, merge=lambda order, total: total.count).to(sink), store=kept)
    assert sink.bodies == [1, 2, 2, 3, 4]


async def test_many_at_once_lose_nothing() -> None:
    """Messages of one key in several slots: each change sees the one before."""
    kept, out = store(), Sink()

    async def slowly(total: Total, order: Order) -> Total:
        await anyio.sleep(0.01)
        return added(total, order)

    await run_routes(totals(Feed([Order("ann", 1)] * 20), change=slowly, slots=8).to(out), store=kept)
    assert len(out.bodies) == 20
    found = await kept.values("totals").get("ann")
    assert found is not None
    assert found.text.startswith('[1,{"count":20,"amount":20},')


async def test_a_value_lasts_as_long_as_was_asked() -> None:
    """After that it begins anew."""
    kept, sink = store(), Sink()
    for wait in (0, 9, 11):
        await anyio.sleep(wait)
        setup = setup_for(Run(), store=kept, now=wall)
        feed = Feed([Message(Order("ann", 1), id=f"m{wait}")])
        await run_routes(totals(feed, lasts=10, merge=lambda order, total: total).to(sink), setup=setup)
    assert [total.count for total in sink.bodies] == [1, 2, 1]


async def test_no_value_to_begin_with_is_an_error() -> None:
    """Where no `first` is given, the first message fails with what to give."""
    flow = from_(Feed(ORDERS[:1]), Order).update("totals", key=lambda o: o.customer, body=Total, change=added)
    kept = store()
    await run_routes(flow, store=kept)
    (letter,) = await kept.letters.list()
    assert letter.error == "BodyError"
    assert "no value for" in letter.reason


async def test_what_would_not_come_back_is_refused() -> None:
    """A change that gives something else than it says fails, and the value stays as it was."""
    kept = store()
    await run_routes(totals(Feed(ORDERS[:1])), store=kept)
    before = await kept.values("totals").get("ann")
    other = Feed([Message(Order("ann", 1), id="other")])
    await run_routes(totals(other, change=lambda total, order: object()), store=kept)
    assert await kept.letters.count() == 1
    assert await kept.values("totals").get("ann") == before


async def test_a_value_of_a_later_release_is_left_alone() -> None:
    """The message fails with what to do."""
    kept = store()
    await kept.values("totals").put("ann", '[2, "something else"]')
    await run_routes(totals(Feed(ORDERS[:1])), store=kept)
    (letter,) = await kept.letters.list()
    assert "kept in version 2" in letter.reason


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"change": None}, "change is None"),
        ({"body": None}, "type of the bodies"),
        ({"remember": 0}, "remember"),
        ({"lasts": -1}, "lasts"),
    ],
)
def test_wrong_options(options: dict[str, Any], told: str) -> None:
    """Are refused when the route is written."""
    with pytest.raises(DefinitionError, match=told):
        totals("direct:x", **options)


async def test_every_crash_counts_each_message_once() -> None:
    """Wherever the process dies or the store fails: each message has changed its value once, or is a letter."""

    def flow(outside: Outside) -> Flow[int]:
        counted = from_(outside.source, int).update(
            "sums", key=lambda n: "all", body=int, change=lambda total, n: total + n, first=0
        )
        return counted.to(outside.sink)

    async def check(outside: Outside) -> None:
        found = await outside.store.values("sums").get("all")
        assert found is not None
        version, total, ids = json.loads(found.text)
        changed = sum(int(known[1:]) for known in ids)
        assert (version, total) == (1, changed)
        assert {*ids, *(letter.message_id for letter in outside.letters)} == {"m1", "m10", "m100"}
        assert not outside.waiting

    assert await every_crash(flow, lambda: Outside([1, 10, 100]), check) > 20
