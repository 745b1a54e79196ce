"""A world in memory: twins of every scheme, by address."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import (
    PER_MESSAGE,
    BadOption,
    Consumer,
    DefinitionError,
    Endpoint,
    Listener,
    Message,
    Policy,
    Producer,
    Retry,
    Twin,
    Unanswered,
    Unavailable,
    UnknownName,
    from_,
    hookimpl,
)
from routekit.events import RouteDegraded
from routekit.testing import (
    Feed,
    Inlet,
    RouteRun,
    Run,
    Sink,
    a_message,
    probed,
    replace_endpoints,
    run_route,
    run_routes,
    running,
    setup_for,
)

pytestmark = pytest.mark.anyio

REFUSING = Policy(dead_letter="refuse")


class Order(BaseModel):
    id: int
    amount: int = 0


class FarSource(Consumer):
    """A source of a server that is nowhere."""

    scheme = "far"
    queue: str
    prefetch: int = 1
    codec: Any = None

    def consume(self, runtime: Any) -> Any:
        raise Unavailable("nothing is there")


class FarSink(Producer):
    """Its sink."""

    scheme = "far"
    queue: str = ""
    exchange: str = ""
    key: Annotated[str, PER_MESSAGE] = ""
    codec: Any = None

    @asynccontextmanager
    async def open(self, runtime: Any) -> Any:
        raise Unavailable("nothing is there")
        yield


class Rows(Producer):
    """A sink that writes no bytes."""

    scheme = "rows"
    table: str

    @asynccontextmanager
    async def open(self, runtime: Any) -> Any:
        raise Unavailable("nothing is there")
        yield


class Calls(Listener):
    """A source that is called."""

    scheme = "calls"
    port: int

    async def listen(self, runtime: Any, deliver: Any) -> None:
        raise Unavailable("nothing is there")


class Plugin:
    @hookimpl
    def register_endpoints(self) -> Sequence[type[Endpoint]]:
        return [FarSource, FarSink, Rows, Calls]


def a_world(replacements: Any = None, **options: Any) -> Any:
    return replace_endpoints(replacements, modules=[Plugin()], **options)


async def test_what_is_sent_to_an_address_is_read_from_it() -> None:
    """By another route of the same test, as bytes where the endpoint writes bytes, with id and headers."""
    read: list[Message[Any]] = []

    def note(order: Order, message: Message[Order]) -> Order:
        read.append(message)
        return order

    with a_world() as world:
        world["calls:1"].put(a_message({"id": 1}, {"h": "x"}, id="one"))
        await run_routes(
            from_("calls:1", Order).to("far:orders"),
            from_("far:orders?prefetch=5", Order).transform(note).to("rows:orders"),
        )
        assert world["far:orders"].bodies == [Order(id=1)]
        assert world["far:orders"].written == [b'{"id":1,"amount":0}']
        assert world["rows:orders"].written == [{"id": 1, "amount": 0}]
    assert [(one.body, one.id, dict(one.headers)) for one in read] == [(Order(id=1), "one", {"h": "x"})]


async def test_options_are_still_those_of_the_real_class() -> None:
    """A misspelt one, or a wrong value, is found as it would be in the daemon."""
    with a_world():
        with pytest.raises(BadOption, match="did you mean 'prefetch'"):
            await run_routes(from_("far:orders?prefech=5"))
        with pytest.raises(BadOption, match="prefetch"):
            await run_routes(from_("far:orders?prefetch=many"))
        with pytest.raises(BadOption, match="no option 'name'"):
            await run_routes(from_("far:orders").to("rows:x", name=str))


async def test_options_of_a_message_are_noted_with_it() -> None:
    """As they were computed and checked."""
    with a_world() as world:
        world["far:in"].put(Order(id=7))
        await run_routes(from_("far:in", Order).to("far:?exchange=e", key=lambda order: f"order.{order.id}"))
        assert [one.options for one in world["far:?exchange=e"].sent] == [{"key": "order.7"}]
        world["far:?exchange=e"].expect([Order(id=7)], options={"key": "order.7"})


async def test_the_codec_is_that_of_the_route() -> None:
    """Of the endpoint or of the engine: what is written can be read, and what cannot be written is a dead letter."""
    with a_world() as world:
        world["far:in"].put(b"a,b\n1,2\n")
        await run_routes(from_("far:in?codec=csv").to("rows:csv", codec="csv").to("far:out", codec="json"))
        assert world["rows:csv"].written == [b"a,b\r\n1,2\r\n"]
        assert world["far:out"].written == [b'[{"a":"1","b":"2"}]']
    run = await _run_with_broken_body()
    assert [letter.error for letter in run.letters] == ["BodyError", "BodyError"]


async def _run_with_broken_body() -> Run:
    with a_world() as world:
        world["far:in"].put(b"no json", object())
        return await run_routes(from_("far:in?codec=json").to("far:out"))


async def test_a_source_is_told_the_outcome() -> None:
    """What was acknowledged, with its reply, what ended early, what was refused, and what became a dead letter."""
    flow = from_("far:in", int, policy=REFUSING).filter(lambda n: n < 5).transform(lambda n: 10 // n)
    with a_world() as world:
        world["far:in"].put(1, 0, 7)
        await run_routes(flow)
        assert [came.state for came in world["far:in"].arrivals] == ["done", "refused", "ended"]
        assert [(name, reply and reply.body) for name, reply in world["far:in"].acknowledged] == [
            ("message-1", 10),
            ("message-3", None),
        ]
        assert [(name, type(error)) for name, error in world["far:in"].refused] == [("message-2", ZeroDivisionError)]
    with a_world() as world:
        world["far:in"].put(0)
        await run_routes(from_("far:in", int).transform(lambda n: 10 // n))
        (came,) = world["far:in"].arrivals
        assert (came.state, type(came.error)) == ("dead", ZeroDivisionError)


async def test_a_refused_message_may_come_again() -> None:
    """As often as the test says, with the same id."""
    seen: list[str] = []

    def fail(body: int, message: Message[int]) -> int:
        seen.append(message.id)
        return 1 // body

    with a_world(redeliver=2) as world:
        world["far:in"].put(0)
        await run_routes(from_("far:in", int, policy=REFUSING).transform(fail))
        (came,) = world["far:in"].arrivals
        assert (came.state, came.deliveries, len(set(seen)), len(seen)) == ("refused", 3, 1, 3)


async def test_what_is_unfinished_at_a_crash_comes_again() -> None:
    """To the next run in the same world."""

    async def slow(n: int) -> int:
        await anyio.sleep(60)
        return n

    with a_world() as world:
        world["far:in"].put(1)
        flow = from_("far:in", int).transform(slow).to("rows:out")
        async with running(flow) as service:
            await anyio.sleep(1)
            service.force()
            await anyio.sleep(1)
        assert world["rows:out"].bodies == []
        await run_routes(flow)
        assert world["rows:out"].bodies == [1]
        assert [came.deliveries for came in world["far:in"].arrivals] == [2]


async def test_a_listener_is_called() -> None:
    """Each caller gets its reply or its error, and those that wait for each other are called at once."""
    with a_world() as world:
        async with running(from_("calls:1", int).transform(lambda n: 10 // n)):
            reply = await world["calls:1"].give(5)
            assert reply is not None
            assert reply.body == 2
            with pytest.raises(ZeroDivisionError):
                await world["calls:1"].give(0)
    with a_world() as world:
        world["calls:1"].put(1, 2, 3)
        await run_routes(from_("calls:1", int).aggregate("three", int, key=lambda n: "k", size=3).to("rows:out"))
        assert world["rows:out"].bodies == [[1, 2, 3]]


async def test_calls_are_made_in_their_order() -> None:
    """However the event loop shuffles its tasks."""
    with a_world() as world:
        world["calls:1"].put(*range(50))
        await run_routes(from_("calls:1", int).to("rows:out"))
        assert world["rows:out"].bodies == list(range(50))


async def test_single_endpoints_are_replaced_by_what_the_test_gives() -> None:
    """By address, by pattern, by options, or typed; the first that fits counts."""
    sink = Sink()
    replacements = {
        "far:in": Feed([1, 2]),
        "rows:fir?t": sink,
        "far:?exchange=e": lambda n: n * 100,
        "far:*": Unavailable("away"),
    }
    with a_world(replacements) as world:
        flow = from_("far:in", int).to("rows:first").enrich("far:?exchange=e&key=k", answer=int).to("far:other")
        run = await run_routes(flow)
        assert sink.bodies == [1, 2]
        assert world["rows:first"].bodies == [1, 2]
        assert [str(one.error) for one in world["far:other"].tries] == ["away", "away"]
        assert [one.body for one in world["far:other"].tries] == [100, 200]
        assert len(run.letters) == 2
    typed = {FarSource(queue="in"): [3], Rows(table="x"): lambda n, message: message.with_body(f"{n}!")}
    with a_world(typed) as world:
        assert (await run_routes(from_("far:in").enrich("rows:x", answer=str))).counts["route-1"].done == 1
        assert [reply and reply.body for _, reply in world["far:in"].acknowledged] == ["3!"]


async def test_a_listener_may_be_replaced_by_a_feed() -> None:
    """Whose messages are calls then; a source that is polled by no listener."""
    feed = Feed([1, 0])
    with a_world({"calls:1": feed}):
        await run_routes(from_("calls:1", int).transform(lambda n: 1 // n))
    assert [(name, reply.body) for name, reply in feed.acknowledged] == [("feed-1", 1)]
    assert [name for name, _ in feed.refused] == ["feed-2"]
    with a_world({"far:in": Calls(port=1)}), pytest.raises(DefinitionError, match="hands over by itself"):
        await run_routes(from_("far:in"))


async def test_a_replacement_that_fails_is_tried_again_as_the_real_one_would_be() -> None:
    """Each try is known."""
    with a_world({"far:out": Sink(fail={1: Unavailable("once")})}) as world:
        world["far:in"].put(1)
        await run_routes(from_("far:in").to("far:out", retry=Retry(3)))
        assert [one.error is None for one in world["far:out"].tries] == [False, True]
        assert world["far:out"].bodies == [1]


async def test_a_sink_takes_what_is_sent_with_options_that_it_does_not_know() -> None:
    """They are noted all the same."""
    sink = Sink()
    with a_world({"far:*": sink, "calls:1": [1]}) as world:
        await run_routes(from_("calls:1").to("far:?exchange=e", key=lambda body: f"{body}"))
        assert sink.bodies == [1]
        assert [one.options for one in world["far:*"].sent] == [{"key": "1"}]


async def test_bytes_and_texts_are_written_as_they_are() -> None:
    """Others as JSON, if no codec is named."""
    with a_world() as world:
        world["calls:1"].put(b"b", "ü", 5, bytearray(b"x"))
        await run_routes(from_("calls:1").to("far:out"))
        assert world["far:out"].written == [b"b", "ü".encode(), b"5", b"x"]
    with a_world() as world:
        world["calls:1"].put(b'{"a":1}', {"a": 1})
        await run_routes(from_("calls:1").to("far:out?codec=json"))
        assert world["far:out"].written == [b'{"a":1}', b'{"a":1}']


async def test_what_is_put_to_a_route_inside_is_handled_before_a_run_ends() -> None:
    """Though such a route has nothing by itself as soon as it waits for calls."""

    async def slow(n: int) -> int:
        await anyio.sleep(1)
        return n

    with a_world() as world:
        world["direct:in"].put(*range(20))
        await run_routes(from_("direct:in", int).transform(slow).to("rows:out"))
        assert world["rows:out"].bodies == list(range(20))


async def test_what_is_no_replacement_is_said() -> None:
    """At once."""
    with pytest.raises(DefinitionError, match="cannot be replaced by 5"):
        a_world({"far:in": 5})


async def run_within(world: Any, flow: Any) -> None:
    with world:
        await run_routes(flow)


async def test_nothing_that_a_test_names_in_vain_passes() -> None:
    """Whether it was replaced, put somewhere, looked at, or expected; with the nearest address."""
    flow = from_("far:orders", int).to("rows:orders")
    with pytest.raises(AssertionError, match=r"'far:order' was replaced, .* did you mean 'far:orders'"):
        await run_within(a_world({"far:order": [1]}), flow)
    world = a_world()
    world["far:order"].put(7)
    with pytest.raises(AssertionError, match=r"7 was put to 'far:order', .* did you mean 'far:orders'"):
        await run_within(world, flow)
    with a_world() as world:
        await run_routes(flow)
        with pytest.raises(UnknownName, match="did you mean 'rows:orders'"):
            world["rows:order"].expect([])
        with pytest.raises(UnknownName, match="'far:orders': no route sends to it"):
            world["far:orders"].expect(count=0)
        with pytest.raises(UnknownName, match="far:orderz"):
            _ = world["far:orderz"].bodies


async def test_nobody_waits_for_a_route_that_does_not_read() -> None:
    """A message that is given to another address is refused at once."""
    with a_world() as world:
        async with running(from_("far:orders").to("rows:orders")):
            with pytest.raises(UnknownName, match="'rows:orders': no route reads from it"):
                await world["rows:orders"].give(1)


async def test_a_twin_is_always_there() -> None:
    """Nothing outside is asked by a probe."""
    with a_world():
        found = await probed(from_("far:in").to("rows:out").to("http:crm/x"))
    assert {one.found for one in found} == {"a twin in memory"}


async def test_requests_and_their_replies_meet_in_memory() -> None:
    """Over two addresses, with the other side as a route of the test."""
    asking = from_("calls:1", int).ask("far:requests", replies="far:replies", answer=int, timeout=5)
    answering = from_("far:requests", int).transform(lambda n: n * 2).reply_to("far:replies")
    with a_world() as world:
        async with running(asking, answering):
            reply = await world["calls:1"].give(21)
            assert reply is not None
            assert reply.body == 42
    assert [type(error) for error in (await run_within_world(asking)).errors] == [Unanswered]


async def run_within_world(flow: Any) -> RouteRun[Any]:
    with a_world():
        return await run_route(flow, [1])


async def test_what_is_put_is_polled() -> None:
    """By a step that reads beside the source; what is not there is missed at once."""
    flow = from_("calls:1").poll_enrich("far:prices", timeout=0, answer=int, missing=-1)
    with a_world() as world:
        world["far:prices"].put(7)
        assert (await run_route(flow, ["a", "b"])).replies == [7, -1]
        assert [came.state for came in world["far:prices"].arrivals] == ["ended"]


async def test_what_is_kept_stays_real() -> None:
    """And what goes over it is known all the same."""
    with a_world(keep=["far:*", "timer:*"]) as world:
        run = Run()
        async with running(from_("timer:t?every=1").to("far:out"), setup=setup_for(run)):
            await anyio.sleep(5)
        assert run.of(RouteDegraded), "nothing is there"
    with a_world(keep=["timer:*"]) as world:
        await run_routes(from_("timer:t?every=1&repeat=3").to("rows:out"))
        assert world["rows:out"].bodies == [1, 2, 3]
        assert [came.state for came in world["timer:t"].arrivals] == ["done"] * 3


async def test_time_stands_still_for_sources_of_time() -> None:
    """A cron source gives what the test puts there, and nothing by itself."""
    with a_world() as world:
        world["cron:0 3 * * *"].put("tonight")
        await run_routes(from_("cron:0 3 * * *?zone=UTC").to("rows:out"))
        assert world["rows:out"].bodies == ["tonight"]


async def test_routes_of_one_test_call_each_other() -> None:
    """Over direct: and queue:, as they are; where no route of the test reads, the message is only noted."""
    inner = from_("direct:double", int).transform(lambda n: n * 2)
    with a_world() as world:
        world["far:in"].put(4)
        await run_routes(
            from_("far:in", int).enrich("direct:double", answer=int).to("queue:q").to("direct:gone"), inner
        )
        assert world["queue:q"].bodies == [8]
        assert world["direct:gone"].bodies == [8]
        assert world["direct:double"].bodies == [4]
        assert [came.state for came in world["direct:double"].arrivals] == ["done"]
    with a_world() as world:
        world["direct:double"].put(3)
        await run_routes(inner, from_("far:in").to("direct:double"))
        assert [reply and reply.body for _, reply in world["direct:double"].acknowledged] == [6]
    with a_world() as world:
        world["queue:q"].put(1)
        await run_routes(from_("queue:q").to("rows:out"), from_("far:in").to("queue:q"))
        assert world["rows:out"].bodies == [1]


async def test_a_world_is_only_that_of_its_with() -> None:
    """It may also be given as the catalog of a setup; nothing is left behind."""
    world = a_world({"far:in": [1]})
    await run_routes(from_("far:in").to("rows:out"), setup=setup_for(Run(), catalog=world))
    assert world["rows:out"].bodies == [1]
    with world:
        assert setup_for(Run()).catalog is world
    assert setup_for(Run()).catalog is not world


@pytest.fixture
def orders() -> Any:
    with a_world() as world:
        yield world


async def test_a_world_may_be_a_fixture(orders: Any) -> None:
    """Of pytest, for all tests of a module."""
    orders["far:in"].put(1)
    await run_routes(from_("far:in").to("rows:out"))
    assert orders["rows:out"].bodies == [1]


async def test_placeholders_are_filled_in_routes_and_keys() -> None:
    """From the same values."""
    with a_world({"far:${QUEUE}": [1]}, lookup={"QUEUE": "q1"}.get) as world:
        await run_routes(from_("far:${QUEUE}").to("rows:${TABLE:t}"))
        assert world["rows:t"].bodies == world["rows:${TABLE:t}"].bodies == [1]


async def test_what_a_route_changes_afterwards_is_not_what_was_sent() -> None:
    """A body is noted as it was."""

    def change(body: dict[str, int]) -> dict[str, int]:
        body["n"] += 1
        return body

    with a_world() as world:
        world["far:in"].put({"n": 1})
        await run_routes(from_("far:in", dict).to("rows:a").transform(change).to("rows:b"))
        assert (world["rows:a"].bodies, world["rows:b"].bodies) == ([{"n": 1}], [{"n": 2}])


async def test_endpoints_that_are_for_tests_stay_what_they_are() -> None:
    """A feed, an inlet or a sink in the route itself."""
    sink, inlet = Sink(), Inlet()
    with a_world():
        await run_routes(from_(Feed([1])).to(sink))
        async with running(from_(inlet).to(sink)):
            await inlet.give(2)
    assert sink.bodies == [1, 2]


class FarTwin(Twin):
    """Queues are bound to an exchange by the beginning of a key."""

    def __init__(self, codec: Any) -> None:
        super().__init__(codec)
        self.queues: list[str] = []

    def reads(self, source: Any) -> str:
        self.queues.append(source.queue)
        return f"far:{source.queue}"

    def sends(self, sink: Any, message: Any, options: Any) -> Sequence[str]:
        key = options.get("key", sink.key)
        return [f"far:{queue}" for queue in self.queues if key.startswith(queue)]

    def answer(self, sink: Any, message: Any, options: Any) -> Any:
        return message.with_body("routed")

    def read(self, source: Any, message: Any) -> Any:
        return super().read(source, message).with_header("far.queue", source.queue)


class WithTwin(Plugin):
    @hookimpl
    def register_twins(self) -> dict[str, type[Twin]]:
        return {"far": FarTwin}


async def test_a_plugin_may_say_how_its_endpoints_behave_in_memory() -> None:
    """Where they meet, what they carry, and what they answer."""
    with replace_endpoints({}, modules=[WithTwin()]) as world:
        world["calls:1"].put({"key": "order.new"}, {"key": "invoice.new"})
        send = (
            from_("calls:1", dict)
            .enrich("far:?exchange=e", answer=str, key=lambda body: body["key"])
            .to("rows:answers")
        )
        read = from_("far:order").to("rows:orders")
        await run_routes(send, read)
        assert world["rows:answers"].bodies == ["routed"] * 2
        assert [one.headers["far.queue"] for one in world["rows:orders"].messages] == ["order"]


async def test_equal_twins_are_opened_once() -> None:
    """As equal endpoints of a route are."""
    with a_world() as world:
        flow = from_("far:in").to("rows:a").to("rows:a").to("rows:a", codec="json").to("rows:b")
        await run_route(flow, [1])
        assert [one.address for one in world.traffic.sends] == ["rows:a", "rows:a", "rows:a", "rows:b"]
        assert len(world.sinks) == 3


@pytest.mark.real_time
async def test_files_may_be_real_beside_twins(tmp_path: Path) -> None:
    """With their headers, answers and options; what went over them is known."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("hello")
    flow = (
        from_("file:${IN}?after=delete", str)
        .to("rows:texts")
        .to("file:${OUT}?exists=replace", name=lambda text, message: message.headers["file.name"], codec="text")
    )
    folders = {"IN": str(tmp_path / "in"), "OUT": str(tmp_path / "out")}
    with a_world(keep=["file:*"], lookup=folders.get) as world:
        await run_routes(flow)
        assert world["rows:texts"].bodies == ["hello"]
        assert [came.state for came in world["file:${IN}"].arrivals] == ["done"]
        world["file:${OUT}"].expect(["hello"], options={"name": "a.txt"})
    assert (tmp_path / "out" / "a.txt").read_text() == "hello"
    assert not (tmp_path / "in" / "a.txt").exists()
