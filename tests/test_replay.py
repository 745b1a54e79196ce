"""Replay: a dead letter goes through its route again, and stays a letter until that succeeds."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from routekit import (
    Batches,
    DefinitionError,
    Letter,
    Message,
    Policy,
    Producer,
    Records,
    Retry,
    Runs,
    Runtime,
    Send,
    Unavailable,
    UnknownName,
    Window,
    dead_letters,
    from_,
)
from routekit.plugins import Catalog
from routekit.replay import replay
from routekit.runtime.service import Setup
from routekit.stores.memory import open_memory
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, setup_for

pytestmark = pytest.mark.anyio


def letter(body: Any, **changes: Any) -> Letter:
    plain = Letter("l1", "m1", "r", "feed:", "to", "a.py:1", "ValueError", "bad", 1, 0.0, body, {"from": "outside"})
    return replace(plain, **changes)


def setup() -> Setup:
    return setup_for(Run())


async def test_letter_that_succeeds_now() -> None:
    """A letter runs through its route, without the route's own source, with its body, headers and id."""
    source, sink = Feed([1, 2, 3]), Sink()
    routes = routes_of(r=from_(source, int).transform(lambda n: n * 2).to(sink))
    assert await replay(letter(21), routes, setup()) is None
    assert sink.messages == [Message(42, {"from": "outside"}, "m1")]
    assert source.acknowledged == []


async def test_bytes_are_bytes_again() -> None:
    """A body of bytes, which a letter keeps as text, comes back as bytes."""
    sink = Sink()
    assert await replay(letter({"base64": "/w=="}), routes_of(r=from_(Feed(), bytes).to(sink)), setup()) is None
    assert sink.bodies == [b"\xff"]


async def test_letter_of_a_real_failure() -> None:
    """What a failed run wrote into a letter is enough to replay it once the fault is gone."""
    async with open_memory("", {}, lambda: 0.0) as store:
        flow = from_(Feed([{"id": 1}, {"id": 2}]), dict).to(Sink(fail={2: ValueError("bad day")}))
        await run_routes(r=flow, store=store)
        (found,) = await store.letters.list()
        mended = Sink()
        assert await replay(found, routes_of(r=from_(Feed(), dict).to(mended)), setup()) is None
        assert mended.bodies == [{"id": 2}]


async def test_letter_that_fails_again() -> None:
    """The error is given back, and no second letter is written, neither to the store nor to the policy's channel."""
    lost = Sink()
    flow = from_(Feed(), int, policy=Policy(dead_letter=dead_letters(lambda f: f.to(lost))))
    async with open_memory("", {}, lambda: 0.0) as store:
        error = await replay(
            letter(1), routes_of(r=flow.to(Sink(fail={1: ValueError("again")}))), replace(setup(), store=store)
        )
        assert str(error) == "again"
        assert await store.letters.count() == 0
    assert lost.messages == []


async def test_body_that_does_not_fit() -> None:
    """A letter whose body still does not fit the route's type fails with the reason."""
    error = await replay(letter("many"), routes_of(r=from_(Feed(), int)), setup())
    assert type(error).__name__ == "BodyError"
    assert "found 'many'" in str(error)


async def test_letter_that_is_filtered_now() -> None:
    """A letter that a filter ends is done."""
    assert await replay(letter(1), routes_of(r=from_(Feed(), int).filter(lambda n: n > 5)), setup()) is None


async def test_retries_of_the_route_hold() -> None:
    """The route's own retries are made in a replay too."""
    sink = Sink(fail={1: Unavailable("away")})
    routes = routes_of(r=from_(Feed(), int, policy=Policy(retry=Retry(1))).to(sink))
    assert await replay(letter(1), routes, setup()) is None
    assert sink.bodies == [1]


async def test_routes_that_it_calls_run_too() -> None:
    """A route that the letter's route calls or feeds runs as well; one with a source of its own does not."""
    answered, queued, other = Sink(), Sink(), Feed([1])
    routes = routes_of(
        r=from_(Feed(), int).to("direct:inner").to("queue:later"),
        inner=from_("direct:inner", int).to(answered),
        later=from_("queue:later", int).to(queued),
        other=from_(other, int).to(Sink()),
    )
    assert await replay(letter(7), routes, setup()) is None
    assert (answered.bodies, queued.bodies, other.acknowledged) == ([7], [7], [])


async def test_failure_in_a_called_route() -> None:
    """A failure in a route that is called is the letter's failure."""
    routes = routes_of(
        r=from_(Feed(), int).to("direct:inner"), inner=from_("direct:inner", int).to(Sink(fail={1: ValueError("deep")}))
    )
    assert str(await replay(letter(7), routes, setup())) == "deep"


async def test_letter_of_an_inner_route() -> None:
    """A letter of a route that others call is replayed without them."""
    sink, outer = Sink(), Feed([1])
    routes = routes_of(r=from_("direct:r", int).to(sink), outer=from_(outer, int).to("direct:r"))
    assert await replay(letter(7), routes, setup()) is None
    assert (sink.bodies, outer.acknowledged) == ([7], [])


class Away(Producer):
    """A sink that never opens."""

    scheme = "away"
    name: str = "x"

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        raise Unavailable("the other side is away")
        yield


@pytest.mark.parametrize("where", ["own", "called"])
async def test_sink_that_is_away(where: str) -> None:
    """With a sink away the replay fails with the reason, instead of waiting for it for ever."""
    inner = from_("direct:inner", int).to(Away()) if where == "called" else from_("direct:inner", int)
    flow = from_(Feed(), int).to(Away()) if where == "own" else from_(Feed(), int).to("direct:inner")
    error = await replay(letter(1), routes_of(r=flow, inner=inner), setup())
    assert str(error) == "the other side is away"


async def test_route_that_is_gone() -> None:
    """A letter of a route that does not exist any more is an error that offers the nearest."""
    with pytest.raises(UnknownName, match=r"letter l1 is of route 'r.ticks'; did you mean 'r.tick'\?"):
        await replay(letter(1, route="r.ticks"), routes_of(**{"r.tick": from_(Feed())}), setup())


async def test_catalog_is_the_given_one() -> None:
    """Placeholders of the routes are filled by the given setup's catalog."""
    sink = Sink()
    routes = routes_of(r=from_(Feed(), int).to("direct:${WHERE}"), inner=from_("direct:there", int).to(sink))
    assert await replay(letter(1), routes, replace(setup(), catalog=Catalog({"WHERE": "there"}.get))) is None
    assert sink.bodies == [1]


class Item(BaseModel):
    """A record of the files below."""

    n: int


@pytest.mark.parametrize("word", ["split", "for_each", "gather"])
async def test_letter_of_a_part_enters_where_parts_do(word: str) -> None:
    """A part's letter is replayed as that part: it is not taken apart again, and what stands before runs no more."""
    before, sink = Sink(), Sink(fail={2: ValueError("bad day")})
    parts = Records(Item, codec="csv")
    start = from_(Feed([b"n\n1\n2\n3\n"]), bytes).to(before)
    flow: Any = (
        start.split(parts, on_error="dead_letter_items").to(sink)
        if word == "split"
        else getattr(start, word)(parts, lambda items: items.to(sink), on_error="dead_letter_items")
    )
    run = await run_routes(r=flow)
    (lost,) = run.letters
    assert (lost.body, lost.headers["row"]) == ({"n": "2"}, 2)
    assert await replay(lost, routes_of(r=flow), setup()) is None
    assert sink.bodies == [Item(n=1), Item(n=3), Item(n=2)]
    assert len(before.bodies) == 1


async def test_letter_of_a_part_when_the_route_has_no_parts_any_more() -> None:
    """A part whose place in the route is gone is refused with what to know, and the letter stays."""
    with pytest.raises(DefinitionError, match="the route has changed since the letter was written"):
        await replay(letter(1, entry=1), routes_of(r=from_(Feed(), int)), setup())


async def test_letter_of_a_record_that_was_in_no_list_yet() -> None:
    """A record that was refused before it came into a list is replayed as a list of one, a list as it was."""
    sink = Sink(fail={1: ValueError("bad day")})
    flow = (
        from_(Feed([b"n\n1\nx\n3\n"]), bytes).split(Batches(Item, codec="csv"), on_error="dead_letter_items").to(sink)
    )
    refused, whole = sorted((await run_routes(r=flow)).letters, key=lambda letter: len(letter.headers))
    mended = replace(refused, body={"n": "2"})
    assert [await replay(again, routes_of(r=flow), setup()) for again in (mended, whole)] == [None, None]
    assert sink.bodies == [[Item(n=2)], [Item(n=1), Item(n=3)]]


async def test_replay_waits_for_no_window() -> None:
    """Whoever asks for a replay wants it now: a route that is manual, or called outside its hours, runs too."""
    sink, never = Sink(), Window("00:00", "00:01", days="mon")
    outer = from_(Feed(), int, policy=Policy(runs=Runs(start="manual", after="other"))).to("direct:inner")
    inner = from_("direct:inner", int, policy=Policy(runs=Runs(start="manual", during=never))).to(sink)
    routes = routes_of(r=outer, inner=inner, other=from_(Feed([])))
    hours = Policy(runs=Runs(during=never))
    assert await replay(letter(21), routes, setup_for(Run(), policy=hours)) is None
    assert sink.bodies == [21]


@pytest.mark.parametrize("word", ["split", "gather", "tap", "multicast"])
async def test_letter_of_what_entered_in_the_middle_is_of_its_type_again(word: str) -> None:
    """A part or a copy for a branch is checked into the class that it was, though the route's source has another."""
    seen: list[Any] = []

    def spoil(item: Item) -> int:
        seen.append(item)
        if len(seen) == 1:
            raise ValueError("bad day")
        return item.n + 1

    start: Any = from_(Feed([1]), int).transform(lambda n: Item(n=n))
    flow: Any = {
        "split": lambda: start.split(lambda item: [item], on_error="dead_letter_items").transform(spoil),
        "gather": lambda: start.gather(lambda item: [item], lambda f: f.transform(spoil), on_error="dead_letter_items"),
        "tap": lambda: start.tap(lambda f: f.transform(spoil), on_error="dead_letter"),
        "multicast": lambda: start.multicast(lambda f: f.transform(spoil), on_error="dead_letter"),
    }[word]()
    run = await run_routes(r=flow)
    (lost,) = run.letters
    assert lost.body == {"n": 1}
    assert await replay(lost, routes_of(r=flow), setup()) is None
    assert seen == [Item(n=1), Item(n=1)]


async def test_letter_of_a_class_that_is_no_more() -> None:
    """Its body comes back as plain data."""
    seen: list[Any] = []
    flow = from_(Feed()).tap(lambda f: f.transform(seen.append), on_error="dead_letter")
    assert await replay(letter({"n": 1}, entry=1, kind="routes.gone:Item"), routes_of(r=flow), setup()) is None
    assert seen == [{"n": 1}]
