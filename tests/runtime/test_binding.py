"""What a step or endpoint may ask of its runtime."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from routekit import Consumer, DefinitionError, Delivery, Message, Runtime, Step, Target, UnknownName, from_
from routekit.events import Logged
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Ask(Step[Any, Any]):
    """A stranger's step that does with the runtime what a test says."""

    ask: Callable[[Runtime], Any]
    binding: bool = False

    def bind(self, proceed: Any, runtime: Runtime) -> Any:
        if self.binding:
            self.ask(runtime)

        async def handle(message: Message[Any]) -> Any:
            if self.binding:
                return await proceed(message)
            answer = self.ask(runtime)
            return await proceed(message.with_body(await answer if isinstance(answer, Awaitable) else answer))

        return handle


async def asked(ask: Callable[[Runtime], Any], **changes: Any) -> Any:
    sink = Sink()
    await run_routes(asking=from_(Feed([0])).then(Ask(ask)).to(sink), setup=setup_for(Run(), **changes))
    return sink.bodies[0]


async def test_it_knows_its_route() -> None:
    """`route` is the name of the route that asks."""
    assert await asked(lambda runtime: runtime.route) == "asking"


async def test_it_knows_what_its_route_is_about() -> None:
    """The type of its bodies and what its author says of it, for a source that describes itself."""
    sink = Sink()
    flow = from_(Feed([0]), int).then(Ask(lambda runtime: (runtime.body, runtime.doc))).to(sink)
    await run_routes(flow.route("asking", "Asks."))
    assert sink.bodies == [(int, "Asks.")]


async def test_chance_is_that_of_the_setup() -> None:
    """Random numbers repeat with the same seed."""
    draw = [await asked(lambda runtime: runtime.random.random(), random=Random(7)) for _ in range(2)]
    assert draw[0] == draw[1]


async def test_time_data_and_settings_are_those_of_the_setup() -> None:
    """Wall time, data folder and settings are handed down."""
    assert await asked(lambda runtime: runtime.now(), now=lambda: 5.0) == 5.0
    assert await asked(lambda runtime: str(runtime.data), data=Path("somewhere")) == "somewhere"
    settings = {("sql", "crm"): {"url": "x"}}
    look = await asked(lambda r: r.settings("sql", "crm"), settings=lambda table, name: settings.get((table, name)))
    assert look == {"url": "x"}
    assert await asked(lambda runtime: runtime.settings("sql", "other")) is None


async def test_codecs_come_by_name() -> None:
    """A codec is found by name; an unknown one is an error that lists what there is."""
    assert (await asked(lambda runtime: runtime.codec("json"))).name == "json"
    flow = from_(Feed([0])).then(Ask(lambda runtime: runtime.codec("jsno"), binding=True))
    with pytest.raises(UnknownName, match="did you mean 'json'"):
        await run_routes(flow)


async def test_state_is_shared_by_name() -> None:
    """Keys and marks of the store are those of their name."""

    async def mark(runtime: Runtime) -> Any:
        await runtime.store.marks("a").put("k", "v")
        return await runtime.store.marks("a").get("k"), await runtime.store.marks("b").get("k")

    assert await asked(mark) == ("v", None)


async def test_events_reach_the_watcher() -> None:
    """What a step emits is seen."""
    run = Run()
    flow = from_(Feed([0])).then(Ask(lambda runtime: runtime.emit(Logged(runtime.route, "info", "hello"))))
    await run_routes(flow, setup=setup_for(run))
    assert [event.text for event in run.of(Logged)] == ["hello"]


async def test_a_background_job_runs_as_long_as_its_route() -> None:
    """It starts with the route and is cancelled at its end."""
    beats: list[float] = []

    async def beat() -> None:
        try:
            while True:
                beats.append(anyio.current_time())
                await anyio.sleep(10)
        finally:
            beats.append(-1)

    gate = anyio.Event()
    flow = from_(Feed([0], gate=gate)).then(Ask(lambda runtime: runtime.spawn(beat), binding=True))
    async with running(flow):
        await anyio.sleep(95)
        assert len(beats) == 10
        gate.set()
        await anyio.sleep(1)
        assert beats[-1] == -1


async def test_a_failed_part_goes_where_dead_letters_go() -> None:
    """`give_up` keeps a letter about any message that a step hands it."""

    async def give_up(runtime: Runtime) -> None:
        await runtime.give_up(Message("part", id="p"), ValueError("bad"))

    run = await run_routes(from_(Feed([0])).then(Ask(give_up)))
    assert [(letter.message_id, letter.body, letter.reason) for letter in run.letters] == [("p", "part", "bad")]


async def test_sleeping_is_not_resting() -> None:
    """A source that rests is idle; one that only sleeps is waited for."""

    class Sleepy(Consumer):
        scheme = "sleepy"

        async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
            await anyio.sleep(1000)
            yield Delivery(Message(1))
            while True:
                await runtime.rest(1)

    sink = Sink()
    await run_routes(from_(Sleepy()).to(sink))
    assert sink.bodies == [1]


async def test_branches_are_bound_with_their_label() -> None:
    """Steps in a branch are named after the branch they are in, however deep."""
    bad = from_(Feed([0]), int).tap(lambda f: f.attempt(lambda g: g.transform(lambda n: 1 // n)))
    run = await run_routes(bad)
    assert run.letters[0].step.startswith("tap > attempt > transform(")


async def test_sinks_can_only_be_asked_for_while_binding() -> None:
    """A sink that was asked for by a running route was never opened, and says so."""

    async def late(runtime: Runtime) -> Any:

        return await runtime.sender(Target("mock:late"))(Message(1))

    run = await run_routes(from_(Feed([0])).then(Ask(late)))
    assert run.letters[0].reason == "mock:late is not open"
    with pytest.raises(DefinitionError):
        await run_routes(from_(Feed([0])).then(Ask(lambda runtime: runtime.sender(Target("nope:x")), binding=True)))
