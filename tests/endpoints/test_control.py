"""control: the control bus as a sink."""

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import Flow, Message, Policy, Runs, Step, UnknownName, from_
from routekit.check import check
from routekit.endpoints.control import Control
from routekit.plugins import Catalog
from routekit.testing import Feed, Sink, routes_of, run_routes, running

from ..fakes import Watched

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Asking(Step[Any, Any]):
    """Goes on with the answer of a sink."""

    uri: str
    options: Any = None

    def bind(self, proceed: Any, runtime: Any) -> Any:
        from routekit import Target

        send = runtime.sender(Target(self.uri, self.options or {}))

        async def handle(message: Message[Any]) -> Any:
            return await proceed(await send(message))

        return handle


@dataclass(frozen=True)
class Jukebox(Step[Any, Any]):
    """Offers `flush`, `stats` and `turn` under a name; remembers what it was asked."""

    name: str
    asked: list[Any]

    def bind(self, proceed: Any, runtime: Any) -> Any:
        async def flush(key: str | None = None) -> int:
            self.asked.append(key)
            return 2

        async def stats() -> dict[str, int]:
            return {"open": 3}

        async def turn(on: bool | None = None) -> bool:
            self.asked.append(on)
            return bool(on)

        async def reset(depth: str) -> str:
            return f"reset {depth}"

        async def play(**tracks: Any) -> Any:
            return tracks

        for command in (flush, stats, turn, reset, play):
            runtime.offer(command.__name__, self.name, command)
        return proceed


async def test_a_message_pauses_and_resumes_another_route() -> None:
    """The message itself goes on unchanged."""
    gate, source, sink = anyio.Event(), Watched([1]), Sink()
    guard = from_(Feed(["go"], gate=gate), str).to("control:resume?route=r").to(sink)
    start = from_(Feed(["wait"]), str).to("control:pause?route=r")
    async with running(r=from_(source, int), guard=guard, start=start) as service:
        await anyio.sleep(1)
        assert service.runners[0].state == "paused"
        gate.set()
        await anyio.sleep(1)
        assert service.runners[0].state == "running"
    assert sink.bodies == ["go"]


async def test_the_answer_is_the_state_of_the_route() -> None:
    """Plain data, also for orders."""
    sink = Sink()
    await run_routes(
        r=from_(Feed([1])),
        ask=from_("timer:t?every=5&repeat=1").then(Asking("control:stats?route=r")).to(sink),
        order=from_("timer:t?every=7&repeat=1").then(Asking("control:start?route=r")).to(sink),
        most=3,
    )
    assert [(body["route"], body["state"], body["done"]) for body in sink.bodies] == [
        ("r", "stopped", 1),
        ("r", "starting", 1),
    ]


async def test_without_a_name_the_route_asks_itself() -> None:
    """Which is what a route that has seen enough says."""
    source = Watched(range(5))
    async with running(r=from_(source, int).filter(lambda n: n == 2).to("control:stop")) as service:
        await anyio.sleep(10)
        assert service.runners[0].state == "stopped"
    assert [name for _, name in source.told] == ["m0", "m1", "m2"]


async def test_a_pattern_asks_all_routes_of_that_kind() -> None:
    """The answers are a list, in the order of their names."""
    sink = Sink()
    routes = {name: from_(Watched([])) for name in ("crm_b", "crm_a", "erp")}
    guard = from_("timer:t?every=1&repeat=1").then(Asking("control:pause?route=crm_*")).to(sink)
    async with running(**routes, guard=guard) as service:
        await anyio.sleep(2)
        assert [runner.state for runner in service.runners[:3]] == ["paused", "paused", "running"]
    assert [(answer["route"], answer["state"]) for answer in sink.bodies[0]] == [
        ("crm_a", "paused"),
        ("crm_b", "paused"),
    ]


async def test_a_route_computed_for_each_message() -> None:
    """The action is the author's; which route it is may come from the message, but no pattern."""
    routes = {name: from_(Watched([])) for name in ("a", "b")}
    guard = from_(Feed(["b", "*", "c", ""]), str).to("control:pause", route=lambda name: name)
    async with running(**routes, guard=guard) as service:
        await anyio.sleep(1)
        assert [runner.state for runner in service.runners[:2]] == ["running", "paused"]
        assert service.store is not None
        letters = await service.store.letters.list()
    assert sorted({letter.reason for letter in letters}) == [
        "no route or step is called ''; one that is computed is exactly one; only the URI may have a pattern",
        "no route or step is called '*'; one that is computed is exactly one; only the URI may have a pattern",
        "nothing called 'c' can be asked to pause; known: a, b, guard",
    ]


async def test_steps_are_asked_by_name() -> None:
    """With the key of the message as a store keeps it, and with the options of strangers."""
    asked: list[Any] = []
    sink = Sink()
    await run_routes(
        r=from_(Watched([])).then(Jukebox("box", asked)),
        guard=from_("timer:t?every=1&repeat=1", int)
        .transform(lambda n: 7)
        .to("control:flush?name=box")
        .to("control:flush?name=box&key=ann")
        .to("control:flush?name=box", key=lambda n: n)
        .to("control:turn", name=lambda n: "box", on=lambda n: n > 5)
        .to("control:turn?name=box&on=false")
        .then(Asking("control:reset?name=box&options.depth=3"))
        .to(sink),
    )
    assert asked == [None, "ann", "int:7", True, False]
    assert sink.bodies == ["reset 3"]


async def test_groups_of_an_aggregate_are_flushed() -> None:
    """A group that is not complete goes on when it is asked to."""
    sink = Sink()
    gathering = from_(Watched([1, 2, 3]), int).aggregate("sums", int, key=lambda n: n % 2, size=10).to(sink)
    async with running(r=gathering, tick=from_("timer:t?every=60&repeat=1").to("control:flush?name=sums")):
        await anyio.sleep(50)
        assert sink.bodies == []
        await anyio.sleep(20)
        assert sorted(sink.bodies) == [[1, 3], [2]]


async def test_a_route_waits_for_a_breaker_and_brings_its_probes() -> None:
    """A circuit breaker opens, its route is paused, and resumed to try again; a closed one by hand is at once."""
    calls: list[float] = []
    start = anyio.current_time()

    def call(n: int) -> int:
        calls.append(anyio.current_time() - start)
        if len(calls) < 4:
            raise OSError("down")
        return n

    policy = Policy(dead_letter="refuse", runs=Runs(pause_when_open="erp"))
    source = Watched(range(6))
    flow = from_(source, int, policy=policy).circuit_breaker(
        lambda body: body.transform(call), name="erp", minimum=2, open_for=60, probes=1
    )
    async with running(r=flow) as service:
        await anyio.sleep(1)
        assert (await service.control("stats", "erp"))["state"] == "open"
        assert service.runners[0].state == "paused"
        await anyio.sleep(1000)
        assert service.runners[0].state == "running"
        await service.control("open", "erp")
        assert service.runners[0].state == "paused"
        await service.control("close", "erp")
        assert service.runners[0].state == "running"
    assert calls == pytest.approx([0, 0, 60, 120, 120, 120])


def problems(flow: Flow[Any], **others: Flow[Any]) -> list[tuple[str, str]]:
    found = check(routes_of(r=flow, **others), Catalog())
    return [(problem.message, problem.hint) for problem in found]


def policy(**runs: Any) -> Policy:
    return Policy(runs=Runs(**runs))


@pytest.mark.parametrize(
    ("uri", "options", "message", "hint"),
    [
        ("control:puase", {}, "nothing can be asked to 'puase'", "did you mean 'pause'?"),
        ("control:pause?route=q", {}, "nothing called 'q' can be asked to pause", "known: box_r, r"),
        ("control:pause?route=z*", {}, "nothing called 'z*' can be asked to pause", "known: box_r, r"),
        ("control:pause?name=box", {}, "control:pause is asked of a route", "give its name: route=..."),
        ("control:flush", {}, "control:flush is asked of a step", "give its name: name=..."),
        ("control:flush?name=bax", {}, "nothing called 'bax' can be asked to flush", "did you mean 'box'?"),
        ("control:flush?name=box&on=true", {}, "control:flush has no option 'on'", "known: key"),
        ("control:flush", {"name": str, "on": str}, "control:flush has no option 'on'", "known: key"),
        ("control:reset?name=box", {}, "control:reset needs the option 'depth'", "write depth=..."),
        ("control:stats?key=3", {}, "control:stats of a route takes no options", "give the name of a step"),
        ("control:stats?name=box", {"route": str}, "control: a route and a step are asked apart", "give route or name"),
        ("control:", {}, "control: 'action' is missing", "routekit describe control"),
        (
            "control:stats?name=box&route=r",
            {},
            "control: a route and a step are asked apart; give route or name",
            "routekit describe control",
        ),
        (
            "control:pause?route=r&key=3",
            {},
            "control: a route takes no key; give the name of a step",
            "routekit describe control",
        ),
        ("control:pause", {"action": str}, "control: 'action' cannot be computed for each message", None),
    ],
)
def test_a_check_finds_orders_that_nobody_takes(uri: str, options: Any, message: str, hint: str | None) -> None:
    """Actions, routes, names and options: before anything runs."""
    (found,) = problems(from_("timer:t").to(uri, **options), box_r=from_("timer:t").then(Jukebox("box", [])))
    assert found[0] == message
    assert hint in (None, found[1])


def test_a_check_finds_nothing_wrong_with_right_orders() -> None:
    """What is offered by any route may be asked."""
    flow = from_("timer:t", int)
    for uri in (
        "pause",
        "stop?route=r",
        "stats?route=*",
        "flush?name=box&key=1",
        "turn?name=box",
        "play?name=box&on=1",
    ):
        flow = flow.to(f"control:{uri}")
    flow = flow.to("control:resume", route=str).to("control:flush", name=str, key=str)
    assert problems(flow, box_r=from_("timer:t").then(Jukebox("box", []))) == []


def test_a_check_finds_what_policies_name_wrongly() -> None:
    """Routes to start after, circles of them, and circuit breakers."""
    timer = "timer:t"
    assert problems(from_(timer, policy=policy(after="other")), ather=from_(timer)) == [
        ("it starts after 'other', which is no route", "did you mean 'ather'?")
    ]
    assert problems(from_(timer, policy=policy(after="r"))) == [
        ("routes start after each other: r after r", "leave one of them out")
    ]
    assert problems(from_(timer, policy=policy(after=("a",))), a=from_(timer, policy=policy(after=("r",)))) == [
        ("routes start after each other: r after a after r", "leave one of them out")
    ]
    breaker = from_(timer).circuit_breaker(lambda body: body, name="erp")
    assert problems(from_(timer, policy=policy(pause_when_open="crm")), b=breaker) == [
        ("it pauses while 'crm' is open, which is no circuit breaker", "known: erp")
    ]
    assert problems(from_(timer, policy=policy(pause_when_open="erp", after="b")), b=breaker) == []


async def test_the_typed_endpoint_is_the_uri() -> None:
    """Each means the other."""
    assert Control(action="pause", route="r") == Control.of("pause", {"route": "r"})
    assert str(Control.of("turn", {"name": "x", "on": "off"})) == "control:turn?name=x&on=false"


async def test_unknown_names_raise_in_the_route() -> None:
    """A step that asks by itself sees the error."""
    caught: list[Exception] = []

    @dataclass(frozen=True)
    class Calling(Step[Any, Any]):
        def bind(self, proceed: Any, runtime: Any) -> Any:
            async def handle(message: Message[Any]) -> Any:
                try:
                    await runtime.control("flush", "nothing")
                except UnknownName as error:
                    caught.append(error)
                return await proceed(message)

            return handle

    await run_routes(from_(Feed([1])).then(Calling()))
    assert str(caught[0]).startswith("nothing can be asked to 'flush'")
