"""What a pattern may cost a message: no task, lock, event or cancel scope that the pattern itself does not need."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from routekit import Flow, from_
from routekit.testing import Feed, Sink, run_routes

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


@pytest.mark.parametrize("pattern", FREE.values(), ids=FREE.keys())
async def test_a_message_needs_nothing_made_for_it(pattern: Pattern, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more tasks, scopes and locks for 400 messages than for 200, but for a turn of other routes now and then."""
    made: Counter[str] = Counter()
    for name in MADE:
        original = getattr(anyio, name)
        monkeypatch.setattr(anyio, name, partial(_counted, made, name, original))

    async def count(messages: int) -> Counter[str]:
        made.clear()
        await run_routes(pattern(from_(Feed(range(1, messages + 1)), int)).to(Sink()))
        return made.copy()

    await count(1)
    few, many = await count(200), await count(400)
    assert (many - few).total() <= 4, many - few


def _counted(made: Counter[str], name: str, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    made[name] += 1
    return original(*args, **kwargs)
