"""Simulation of sound routes, and of routes that promise little."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import PLAIN, DefinitionError, Flow, Handler, Message, Policy, Retry, Runtime, Step, from_
from routekit.testing import Feed, simulate

Routes = Callable[[], Flow[Any] | list[Flow[Any]]]


def numbers(policy: Policy | None = None) -> Flow[int]:
    return from_(Feed(range(6)), int, policy=policy)


SOUND: dict[str, Routes] = {
    "to": lambda: numbers().to("mock:erp"),
    "retry": lambda: numbers(Policy(retry=Retry(3))).to("mock:erp"),
    "aggregate": lambda: (
        numbers().aggregate("pairs", int, key=lambda n: n % 2, size=2, timeout=30).transform(sum).to("mock:erp")
    ),
    "split": lambda: numbers(Policy(concurrency=3)).split(lambda n: [n, n, n]).to("mock:a").to("mock:b"),
    "idempotent": lambda: numbers().idempotent("seen", key=lambda n: n // 2).to("mock:erp"),
    "delay": lambda: numbers().delay("later", int, by=20).to("mock:erp"),
    "multicast": lambda: numbers().multicast(lambda a: a.to("mock:a"), lambda b: b.to("mock:b")),
    "order_by": lambda: numbers(Policy(concurrency=4, order_by=lambda n: n % 2)).to("mock:erp"),
    "resequence": lambda: numbers().resequence("row", int, number=lambda n: n, start=0, gap=60).to("mock:erp"),
    "direct": lambda: [numbers().to("direct:book"), from_("direct:book", int).to("mock:erp")],
    "queue": lambda: [numbers().to("queue:work"), from_("queue:work", int).to("mock:erp")],
    "durable queue": lambda: [
        numbers().to("queue:kept?durable=true"),
        from_("queue:kept?durable=true", int).to("mock:erp"),
    ],
    "durable": lambda: numbers(Policy(durable="store", retry=Retry(2))).to("mock:a").to("mock:b"),
    "timer": lambda: from_("timer:tick?every=5s", int).to("mock:erp"),
    "listener": lambda: from_("http:127.0.0.1:8080/orders", int).to("mock:erp"),
    "broker": lambda: [from_("rabbitmq:in", int).to("rabbitmq:out"), from_("rabbitmq:out", int).to("mock:erp")],
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_route_holds_what_it_promises(name: str) -> None:
    """Whatever goes wrong, no invariant is violated by routes of words that are right."""
    report = simulate(SOUND[name](), seeds=20)
    report.expect()
    assert report.crashes
    assert report.effects


def test_one_seed_gives_one_run() -> None:
    """The same seeds give the same report, to the last byte."""

    def told() -> str:
        return json.dumps(simulate(SOUND["aggregate"](), seeds=range(20, 40)).as_json())

    assert told() == told()


def test_a_day_costs_next_to_nothing() -> None:
    """A wait of many hours passes in virtual time."""
    began = time.monotonic()
    report = simulate(numbers().delay("tomorrow", int, by=20 * 3600).to("mock:erp"), seeds=3, time=24 * 3600)
    report.expect()
    assert report.simulated > 3 * 20 * 3600
    assert report.effects >= 3 * 6
    assert time.monotonic() - began < 60


@dataclass(frozen=True)
class Background(Step[int, int]):
    """A step as its author should not have written it: what follows runs in the background, and nobody waits."""

    conduct = PLAIN

    def bind(self, proceed: Handler[int], runtime: Runtime) -> Handler[int]:
        async def handle(message: Message[int]) -> None:
            async def later() -> None:
                await anyio.sleep(0.1)
                await proceed(message)

            runtime.spawn(later)

        return handle


def test_what_is_printed_runs_again() -> None:
    """The smallest schedule of a violation, given back, shows the same violation by the same story."""
    flow = numbers().then(Background()).to("mock:erp")
    found = {one.invariant: one for one in simulate(flow, seeds=30, faults=["crash"]).violations}
    lost = found["nothing is lost"]
    assert len(lost.schedule.faults) == 1
    assert lost.schedule.inputs is not None
    assert len(lost.schedule.inputs) == 1
    again = simulate(flow, seeds=[lost.seed], schedule=str(lost.schedule)).violations
    assert [(one.text, one.story) for one in again if one.invariant == lost.invariant] == [(lost.text, lost.story)]


def test_the_parts_of_a_durable_route_are_on_record() -> None:
    """A defect that simulation has found: the last send of a part was not recorded, and a crash repeated all parts."""
    flow = numbers(Policy(durable="store")).split(lambda n: [n, n + 10]).to("mock:erp")
    simulate(flow, seeds=[38], schedule="dies before journal.finish route-1 a4; only a4; in order").expect()


class Order(BaseModel):
    id: int
    customer: str
    lines: list[str]


def test_bodies_are_made_of_the_type_of_the_route() -> None:
    """Without inputs the bodies are valid values of the route's type."""
    seen: list[Order] = []

    def kept(order: Order) -> Order:
        seen.append(order)
        return order

    report = simulate(from_("rabbitmq:orders", Order).transform(kept).to("mock:erp"), seeds=1, faults=[])
    report.expect()
    assert seen
    assert all(isinstance(order, Order) for order in seen)
    assert len({order.id for order in seen}) == 6


def test_answers_stand_for_other_sides() -> None:
    """An endpoint that is asked gives what the function for it says."""
    flow = from_("rabbitmq:in", int).enrich("http:crm/names", answer=str).to("mock:erp")
    report = simulate(flow, seeds=5, answers={"http:crm/*": "customer {}".format})
    report.expect()
    assert report.effects >= 5 * 6


def test_an_unknown_fault_is_told() -> None:
    """A fault that there is not is an error that names those there are."""
    with pytest.raises(DefinitionError, match="no fault 'fire'"):
        simulate(numbers().to("mock:erp"), faults=["fire"])


@pytest.mark.anyio
async def test_it_is_not_called_inside_a_loop() -> None:
    """Called where a loop runs, it says that it wants a plain test."""
    with pytest.raises(RuntimeError, match="plain test"):
        simulate(numbers().to("mock:erp"))
