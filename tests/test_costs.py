"""What a pattern may cost a message: no task, lock, event or cancel scope that the pattern itself does not need."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType
from typing import Any

import anyio
import pytest

from routekit import Flow, Message, Route, from_
from routekit.runtime.service import Service
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

pytestmark = pytest.mark.anyio

MADE = ("create_task_group", "CancelScope", "move_on_after", "fail_after", "Event", "Lock", "Semaphore", "Condition")

Pattern = Callable[[Flow[Any]], Flow[Any]]


def on(flow: Flow[Any]) -> Flow[Any]:
    return flow


BOTH = {"a": on, "b": on}

FREE: dict[str, Pattern] = {
    "filter": lambda flow: flow.filter(bool),
    "transform": lambda flow: flow.transform(str),
    "choice": lambda flow: flow.choice().when(bool, on).otherwise(on),
    "attempt": lambda flow: flow.attempt(on, rescue={ValueError: on}),
    "split": lambda flow: flow.split(lambda n: [n, n]),
    "gather": lambda flow: flow.gather(lambda n: [n, n], on),
    "for_each": lambda flow: flow.for_each(lambda n: [n, n], on),
    "tap": lambda flow: flow.tap(on),
    "multicast": lambda flow: flow.multicast(on, on),
    "recipients": lambda flow: flow.recipients(lambda n: ["a", "b"], BOTH),
    "scatter_gather, one after the other": lambda flow: flow.scatter_gather(BOTH, parallel=1),
    "routing_slip": lambda flow: flow.routing_slip(lambda n: ["a"], BOTH),
    "dynamic_router": lambda flow: flow.dynamic_router(lambda n: None, BOTH),
    "detour": lambda flow: flow.detour(bool, on),
    "load_balance": lambda flow: flow.load_balance(on, on),
    "failover": lambda flow: flow.failover(on, on),
    "sample": lambda flow: flow.sample(nth=1),
    "throttle": lambda flow: flow.throttle(rate=1e9),
    "expire": lambda flow: flow.expire(at=lambda n: None),
    "circuit_breaker": lambda flow: flow.circuit_breaker(on, name="b"),
    "bulkhead": lambda flow: flow.bulkhead(on, name="b"),
    "idempotent": lambda flow: flow.idempotent("seen", key=lambda n, message: message.id),
    "aggregate, of a group that stays open": lambda flow: flow.aggregate("g", int, key=lambda n: 0, size=10_000),
}


class Nobody:
    """Observes all, and follows nothing."""

    def begin(self, message: Message[Any]) -> None:
        return None


def nobody(route: Route) -> Nobody:
    return Nobody()


OBSERVED: dict[str, dict[str, Any]] = {
    "by nobody": {},
    "by metrics and an observer": {"metrics": True, "observers": [nobody]},
}


@pytest.mark.parametrize("observed", OBSERVED.values(), ids=OBSERVED.keys())
@pytest.mark.parametrize("pattern", FREE.values(), ids=FREE.keys())
async def test_a_message_needs_nothing_made_for_it(
    pattern: Pattern, observed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more tasks, scopes and locks for 400 messages than for 200, but for a turn of other routes now and then."""
    made: Counter[str] = Counter()
    for name in MADE:
        original = getattr(anyio, name)
        monkeypatch.setattr(anyio, name, partial(_counted, made, name, original))

    async def count(messages: int) -> Counter[str]:
        made.clear()
        flow = pattern(from_(Feed(range(1, messages + 1)), int)).to(Sink())
        await run_routes(flow, setup=setup_for(Run(), **observed))
        return made.copy()

    await count(1)
    few, many = await count(200), await count(400)
    assert (many - few).total() <= 4, many - few


async def test_nothing_is_wrapped_where_nobody_observes() -> None:
    """No function that a message passes knows of traces or counts; with metrics one of each step does."""
    plain = await passed()
    assert [name for name in plain if "_watched" in name or "told" in name] == []
    counted = await passed(metrics=True)
    assert [name for name in counted if name.startswith("observed.")] == []  # it stands in the place of that
    assert sum(name.startswith("_watched.<locals>.counted") for name in counted) == 3


async def passed(**observed: Any) -> list[str]:
    """The names of RouteKit's functions between the source of a route and its sink."""
    flow = from_(Feed([1]), int).filter(bool).transform(str).to(Sink())
    service = Service([flow.route("r")], setup_for(Run(), **observed))
    async with service.started():
        await anyio.sleep(1)
        (runner,) = service.runners
        start = runner._assembled().processing._handler  # pyright: ignore[reportPrivateUsage]  # where messages enter
        return [found.__qualname__ for found in {id(found): found for found in _inside(start)}.values()]


def _inside(function: Any) -> Iterator[FunctionType]:
    """A function and those that its closure holds."""
    if not isinstance(function, FunctionType) or not function.__module__.startswith("routekit."):
        return
    yield function
    for cell in function.__closure__ or ():
        if cell.cell_contents is not function:
            yield from _inside(cell.cell_contents)


def _counted(made: Counter[str], name: str, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    made[name] += 1
    return original(*args, **kwargs)
