"""Tests of routes as people write them, right and wrong ones; never run, `make types` checks it."""

from dataclasses import dataclass
from typing import assert_type

from routekit import Flow, Letter, Message, Unavailable, from_
from routekit.endpoints.timer import Timer
from routekit.testing import (
    Channel,
    Clock,
    Feed,
    RouteRun,
    Run,
    Sink,
    World,
    a_letter,
    a_message,
    having,
    replace_endpoints,
    run_route,
    run_routes,
    running,
    setup_for,
)


@dataclass(frozen=True)
class Order:
    id: int


def answer(order: Order) -> dict[str, bool]:
    return {"vip": order.id == 1}


async def answer_later(order: Order, message: Message[Order]) -> Order:
    return order


orders: Flow[Order] = from_("rabbitmq:orders", Order)


async def right() -> None:
    with replace_endpoints(
        {
            "http:crm/*": answer,
            "http:erp/*": answer_later,
            "rabbitmq:in": [1, 2],
            "sql:*": Sink(),
            "file:*": Unavailable(""),
        },
        keep=["timer:*"],
        clock=Clock("2026-03-29T01:00Z"),
        redeliver=2,
    ) as world:
        assert_type(world, World)
        assert_type(world["rabbitmq:orders"], Channel)
        run = await run_route(orders.transform(lambda order: order.id), [Order(1), {"id": 2}])
        assert_type(run, RouteRun[int])
        assert_type(run.replies, list[int])
        by_name = await run_route("orders.incoming", [a_message({"id": 1}, {"h": 1})], folder="routes")
        run["rabbitmq:sales"].expect([Order(1), {"id": 2}, having(id=3), Order], in_order=False, headers={"h": 1})
        assert by_name.replies[0].anything
        async with running(orders):
            await world["rabbitmq:sales"].expect(count=3, within=60)
            world["rabbitmq:orders"].put(Order(1), Order(2))
            await world["rabbitmq:orders"].settled(within=60)
            reply = await world["rabbitmq:orders"].give(Order(1))
            assert reply is None or reply.id
    with replace_endpoints({Timer(name="t").uri(): Feed([1])}) as typed:
        typed[Timer(name="t")].put(1)
        await run_routes(orders, setup=setup_for(Run(), catalog=typed))
    assert_type(a_message(Order(1)), Message[Order])
    assert_type(a_letter(Order(1), ValueError("x")), Message[Letter])


async def wrong() -> None:
    # 1: nothing that stands for an endpoint
    replace_endpoints({"rabbitmq:orders": 5})  # pyright: ignore[reportArgumentType]

    # 2: an expectation that waits, and is not awaited
    world = replace_endpoints()
    world["rabbitmq:orders"].expect([1], within=60)  # pyright: ignore[reportUnusedCoroutine]

    # 3: an expectation that does not wait, and is awaited
    await world["rabbitmq:orders"].expect([1])  # pyright: ignore[reportGeneralTypeIssues]

    # 4: the replies of another body
    run = await run_route(orders, [Order(1)])
    assert run.replies[0].name  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    # 5: no route
    await run_route(5, [])  # pyright: ignore[reportCallIssue, reportArgumentType]
