"""Journaling: what is in the journal goes on after a crash, its effects are not repeated, and nothing is lost."""

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from routekit import Flow, Message, Policy, Retry, StoreError, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes
from routekit.written import written
from tests.crashing import DEATHS, Crash, DurableStore, Kind, Outside, every_crash, live

pytestmark = pytest.mark.anyio

DURABLE = Policy(durable="store")


def more(n: int) -> int:
    return n + 10


def both(n: int) -> list[int]:
    return [n, n + 100]


def same(n: int) -> int:
    return 0


def bad(n: int) -> int:
    raise ValueError(n)


def three() -> Outside:
    return Outside([1, 2, 3])


def delivered(outside: Outside) -> None:
    """All have arrived, nothing is left, and the source knows."""
    assert set(outside.bodies) == {1, 2, 3}
    assert not outside.waiting
    assert not outside.letters


async def crashed_at(
    kind: Kind, operation: str, flow: Callable[[Outside], Flow[Any]], item: Any = 1, patience: float = 1.0
) -> Outside:
    """What is left after a life with a crash at the first operation of that name."""
    for at in count(1):
        outside = Outside([item])
        life = await live(flow, outside, Crash(at, kind), patience=patience)
        if outside.crashed == [f"{kind} {operation}"]:
            return outside
        assert life.count >= at, f"there is no {operation}"
    raise AssertionError


async def empty(outside: Outside) -> None:
    """The journal has nothing left."""
    assert await outside.store.journal("route-1").count() == 0


async def test_no_crash_loses_a_message_of_a_durable_route() -> None:
    """Whatever the operation: it arrives once more at most, and the journal is empty in the end."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=DURABLE).to(outside.sink)

    async def check(outside: Outside) -> None:
        delivered(outside)
        await empty(outside)
        assert len(outside.bodies) <= 4
        torn = {"dies after sink.send", "dies before journal.finish"}
        assert len(outside.bodies) == 3 or torn.intersection(outside.crashed)

    assert await every_crash(flow, three, check, patience=100.0) > 30


async def test_no_effect_that_is_recorded_happens_again() -> None:
    """Of a route with many effects, at most the one is repeated at which the process died."""

    def flow(outside: Outside) -> Flow[Any]:
        flow = from_(outside.source, int, policy=DURABLE).to(outside.sink).to(outside.sink).transform(more)
        return flow.tap(lambda tap: tap.to(outside.sink)).for_each(both, lambda part: part.to(outside.sink))

    async def check(outside: Outside) -> None:
        sent = Counter((message.id, message.body) for message in outside.sent)
        wanted = Counter({("m1", 1): 2, ("m1", 11): 1, ("m1/0", 11): 1, ("m1/1", 111): 1})
        assert (sent - wanted).total() <= (1 if outside.crashed else 0)
        assert not wanted - sent
        await empty(outside)

    assert await every_crash(flow, lambda: Outside([1]), check, kinds=DEATHS, patience=100.0) > 20


async def test_parts_that_have_arrived_do_not_arrive_again() -> None:
    """Where the parts are sent last: of all of them, at most the one is repeated at which the process died."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=DURABLE).split(both).split(both).to(outside.sink)

    async def check(outside: Outside) -> None:
        sent = Counter(message.id for message in outside.sent)
        wanted = Counter({f"m1/{outer}/{inner}": 1 for outer in range(2) for inner in range(2)})
        assert (sent - wanted).total() <= (1 if outside.crashed else 0)
        assert not wanted - sent
        await empty(outside)

    assert await every_crash(flow, lambda: Outside([1]), check, kinds=DEATHS, patience=100.0) > 20


async def test_the_source_is_told_before_the_steps_run() -> None:
    """As soon as the message is in the journal."""
    outside, seen = Outside([1]), list[int]()

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=DURABLE).transform(
            lambda n: seen.append(outside.acknowledged["m1"]) or n
        )

    await live(flow, outside, patience=1.0)
    assert seen == [1]


async def test_a_message_that_was_finished_is_not_handled_again() -> None:
    """For as long as its id is remembered; the source is told that it is done."""
    outside = Outside([1])
    once_more = outside.waiting["m1"]

    def flow(outside: Outside) -> Flow[Any]:
        policy = Policy(durable="store", remember=100.0)
        return from_(outside.source, int, policy=policy).to(outside.sink)

    await live(flow, outside, patience=1.0)
    outside.waiting["m1"] = once_more
    await live(flow, outside, patience=1.0)
    assert (outside.bodies, list(outside.waiting)) == ([1], [])
    outside.waiting["m1"] = once_more
    await live(flow, outside, patience=200.0)
    assert outside.bodies == [1]
    outside.waiting["m1"] = once_more
    await live(flow, outside, patience=1.0)
    assert outside.bodies == [1, 1]


async def test_a_retry_of_the_policy_does_not_repeat_what_has_happened() -> None:
    """Only the step that failed sends again, and what an endpoint answered is known still."""
    one, two, asked = Sink(), Sink(fail={1: Unavailable("away")}), Sink()
    policy = Policy(durable="store", retry=Retry(2, first=0.0))
    await run_routes(
        from_(Feed([1, 2]), int, policy=policy).to(one).enrich("direct:more", answer=int).to(two),
        from_("direct:more", int).to(asked).transform(more),
    )
    assert (one.bodies, asked.bodies, two.bodies) == ([1, 2], [1, 2], [11, 12])


async def test_a_retry_of_an_attempt_does_not_repeat_what_has_happened() -> None:
    """Nor that of a part; but what is done twice on purpose is done twice."""
    one, two = Sink(), Sink(fail={1: Unavailable("away"), 3: Unavailable("away")})
    feed = from_(Feed([1]), int, policy=DURABLE)
    await run_routes(feed.to(one).attempt(lambda body: body.to(one).to(two), retry=Retry(2, first=0.0)).to(one))
    assert (one.bodies, two.bodies) == ([1, 1, 1], [1])
    feed = from_(Feed([1]), int, policy=DURABLE)
    await run_routes(feed.for_each(both, lambda part: part.to(one).to(two), retry=Retry(2, first=0.0)))
    assert (one.bodies[3:], two.bodies[1:]) == ([1, 101], [1, 101])


async def test_what_fails_becomes_a_dead_letter_before_it_is_finished() -> None:
    """At every crash: it is in the journal, or among the letters, and in the end only there."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=DURABLE).to(outside.sink).transform(bad)

    async def check(outside: Outside) -> None:
        assert {letter.message_id for letter in outside.letters} == {"m1", "m2", "m3"}
        assert len(outside.letters) == 3
        await empty(outside)

    assert await every_crash(flow, three, check, patience=100.0) > 30


async def test_a_letter_that_cannot_be_kept_leaves_the_message_in_the_journal() -> None:
    """It is taken up again after a while, without what it has done before."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=DURABLE).to(outside.sink).transform(bad)

    outside = await crashed_at("fails before", "letters.add", flow)
    assert await outside.store.journal("route-1").count() == 1
    await live(flow, outside, patience=1.0)
    assert ([letter.message_id for letter in outside.letters], outside.bodies) == (["m1"], [1])


async def test_a_body_that_does_not_fit_any_more_becomes_a_dead_letter() -> None:
    """The route has changed since it was kept."""
    store = DurableStore()
    journal = store.journal("route-1")
    await journal.add("m1", written(Message("seven", {"a": 1}, "m1"), 1.0), owner=store.owner)
    await journal.add("m2", "broken", owner=store.owner)
    await journal.add("m3", written(Message("8", {}, "m3"), 1.0), owner=store.owner)
    sink = Sink()
    run = await run_routes(from_(Feed([1]), int, policy=DURABLE).to(sink), store=store)
    assert sink.bodies == [8, 1]
    assert {letter.message_id: letter.body for letter in run.letters} == {"m1": "seven", "m2": "broken"}
    assert await journal.count() == 0


async def test_a_body_that_cannot_be_kept_fails_at_once() -> None:
    """It is a dead letter with the reason, and its source is told afterwards, as without a journal."""
    run = await run_routes(from_(Feed([object()]), policy=DURABLE).log("x"))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert "cannot be kept" in run.letters[0].reason


async def test_an_answer_that_cannot_be_kept_is_told_and_not_asked_for_again() -> None:
    """The effect has happened: after the failure it is known still."""
    asked = Sink()
    policy = Policy(durable="store", retry=Retry(2, first=0.0, never=()))
    run = await run_routes(
        from_(Feed([1]), int, policy=policy).enrich("direct:odd", answer=object),
        from_("direct:odd", int).to(asked).transform(lambda n: object()),
    )
    assert (asked.bodies, [letter.error for letter in run.letters]) == ([1], ["BodyError"])


async def test_a_source_without_ids_gets_them_from_the_journal() -> None:
    """Made once, when the message arrives: after the crash it has the same one."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=DURABLE).to(outside.sink).to(outside.sink)

    outside = await crashed_at("dies after", "journal.record", flow, Message(1))
    await live(flow, outside, patience=1.0)
    assert outside.bodies == [1, 1]
    assert len(set(outside.ids)) == 1
    assert outside.ids[0]


async def test_what_was_left_comes_first_and_in_order() -> None:
    """Also with many messages at once, where the keys of `order_by` are equal."""
    store = DurableStore()
    for n in range(5):
        await store.journal("route-1").add(f"m{n}", written(Message(n, {}, f"m{n}"), 1.0), owner=store.owner)
    sink = Sink()
    policy = Policy(durable="store", concurrency=3, order_by=same)
    await run_routes(from_(Feed([5, 6, 7]), int, policy=policy).to(sink), store=store)
    assert sink.bodies == list(range(8))


async def test_a_store_that_does_not_answer_stops_the_taking() -> None:
    """The message stays with its source, and the route is tried again."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=DURABLE).to(outside.sink)

    outside = await crashed_at("fails before", "journal.add", flow, patience=100.0)
    assert (outside.bodies, outside.refused["m1"]) == ([1], 1)
    assert any(isinstance(getattr(event, "error", None), StoreError) for event in outside.events)


async def test_a_send_that_failed_first_is_the_same_effect() -> None:
    """A retry of the step does not make it another one; the letter says what has happened."""
    sink = Sink(fail={1: Unavailable("away")})
    flow = from_(Feed([1]), int, policy=DURABLE).to(sink, retry=Retry(2, first=0.0)).transform(bad)
    run = await run_routes(flow)
    assert run.letters[0].effects == {'["to sink:","feed-1",1]': ""}
