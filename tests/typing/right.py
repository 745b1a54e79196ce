"""Right routes, as pyright sees them: every word of the language gives the type that it promises.

Never run; `make types` checks it.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, assert_type

from routekit import (
    Act,
    Batches,
    Flow,
    JsonSchema,
    Letter,
    Message,
    Policy,
    Records,
    Retry,
    Step,
    Switch,
    Tally,
    dead_letters,
    from_,
    grouped,
    in_thread,
    jmespath,
    jsonpath,
    rescue,
    template,
    xpath,
)
from routekit.eip.filter import Filter


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int


@dataclass(frozen=True)
class Order:
    id: int
    customer: str
    lines: list[Line]


class Row(TypedDict):
    id: int


async def fetched(order: Order) -> str:
    return order.customer


async def fetched_with(order: Order, message: Message[Order]) -> str:
    return message.id


def named(order: Order, message: Message[Order]) -> str:
    return f"{message.id} {order.id}"


def blocking(order: Order) -> bytes:
    return b""


def lines(order: Order) -> Iterable[Line]:
    yield from order.lines


async def lines_later(order: Order) -> AsyncIterator[Line]:
    for line in order.lines:
        yield line


def shipped(flow: Flow[Line], prefix: str) -> Flow[str]:
    return flow.transform(lambda line: prefix + line.sku)


def kept(letters: Flow[Letter]) -> Flow[str]:
    return letters.transform(lambda letter: letter.reason)


def priced(flow: Flow[Order]) -> Flow[float]:
    return flow.transform(lambda order: order.id * 1.5)


async def stops(order: Order, message: Message[Order]) -> list[str]:
    return [order.customer]


def first_line(order: Order) -> Line:
    return order.lines[0]


async def line_value(order: Order, line: Line) -> float:
    return float(order.id * line.quantity)


def always(order: Order) -> bool:
    return True


orders = from_("file:orders?after=move", Order, codec="json", policy=Policy(concurrency=4, retry=Retry(3)))

policy = Policy(
    rescue={
        KeyError: rescue(lambda failed: failed.to("file:bad"), when=lambda error: error.args, then="go_on"),
        OSError: (
            rescue(lambda failed: failed.stop()),
            rescue(priced, when=lambda error, message: "x" in message.headers),
        ),
    },
    on_failure=lambda error, message: None,
    before_letter=lambda letter: letter,
    history=True,
)

assert_type(from_("timer:tick"), Flow[Any])
assert_type(orders, Flow[Order])
assert_type(from_("file:in", Row), Flow[Row])
assert_type(from_("file:in", dict[str, int]), Flow[dict[str, int]])
assert_type(orders.filter(lambda order: order.id > 3), Flow[Order])
assert_type(orders.filter(lambda order, message: "x" in message.headers), Flow[Order])
assert_type(orders.transform(lambda order: order.lines), Flow[list[Line]])
assert_type(orders.transform(lambda order, message: message.id), Flow[str])
assert_type(orders.transform(fetched), Flow[str])
assert_type(orders.transform(fetched_with), Flow[str])
assert_type(orders.transform(named), Flow[str])
assert_type(orders.transform(in_thread(blocking)), Flow[bytes])
assert_type(orders.transform(fetched).parse(Line), Flow[Line])
assert_type(orders.validate(lambda order: order.id > 0, lambda order: None if order.lines else "no lines"), Flow[Order])
assert_type(orders.set_header("id", lambda order: order.id).set_header("fixed", 1).remove_header("x-*"), Flow[Order])
assert_type(orders.serialize("json"), Flow[bytes])
assert_type(orders.content_filter(keep=["id"]), Flow[dict[str, Any]])
assert_type(orders.transform(lambda order: order.lines).sort(key=lambda line: line.sku), Flow[list[Line]])
assert_type(orders.transform(lambda order: tuple(order.lines)).sort(key=lambda line: line.sku), Flow[list[Line]])
assert_type(orders.normalize(Line, (lambda order: order.id > 1, first_line), (Line, lambda line: line)), Flow[Line])
assert_type(orders.validate(Order, always, JsonSchema({"type": "object"})), Flow[Order])
assert_type(orders.transform(template("{{ body.id }}")), Flow[str])
assert_type(orders.transform(jsonpath("$.id")).filter(jmespath("a")).split(xpath("//a")), Flow[Any])
assert_type(orders.enrich("direct:price", answer=Line), Flow[Line])
assert_type(orders.enrich("direct:price", answer=Line, missing=None, retry=Retry(2)), Flow[Line | None])
assert_type(
    orders.enrich("direct:x", answer=Line, merge=lambda order, line: (order.id, line.sku)), Flow[tuple[int, str]]
)
assert_type(orders.enrich("direct:price", answer=Line, merge=line_value), Flow[float])
assert_type(orders.poll_enrich("queue:a", timeout=1, answer=Line, merge=lambda order, line: line.sku), Flow[str])
assert_type(orders.ask("queue:a", replies="queue:b", timeout=1, answer=Line), Flow[Line])
assert_type(orders.ask("queue:a", replies="queue:b", timeout=1, answer=Line, merge=line_value), Flow[float])
assert_type(orders.reply_to("queue:a", names={"b": "queue:b"}), Flow[Order])
assert_type(orders.claim("orders"), Flow[str])
assert_type(orders.checkpoint("checked", Order), Flow[Order])
assert_type(orders.claim("orders", ticket=lambda order: order.id), Flow[int])
assert_type(orders.claim("orders", ticket=named, folder="claims").redeem("orders", Order), Flow[Order])
assert_type(orders.redeem("lines", Line, merge=lambda order, line: (order.id, line.sku)), Flow[tuple[int, str]])
assert_type(orders.update("n", key=lambda order: order.id, body=int, change=lambda n, order: n + 1), Flow[Order])
assert_type(orders.split(lambda order: order.lines), Flow[Line])
assert_type(orders.split(lines, parallel=4), Flow[Line])
assert_type(orders.split(lines_later, on_error="fail_fast"), Flow[Line])
assert_type(orders.gather(lines, lambda line: line.transform(lambda line: line.quantity)), Flow[list[int]])
assert_type(orders.for_each(lines, lambda line: line.to("log:x"), on_error=dead_letters(kept)), Flow[Tally])
assert_type(from_("file:in", Path).split(Records(Order, codec="csv")), Flow[Order])
assert_type(from_("file:in", Path).split(Batches(Order, size=100)), Flow[list[Order]])
assert_type(from_("file:in", Path).for_each(Records(Order), lambda order: order.transform(fetched)), Flow[Tally])
assert_type(orders.to("file:out", name=lambda order: f"{order.id}.json", codec="json", retry=Retry(2)), Flow[Order])
assert_type(orders.tap(lambda copy: copy.transform(fetched).to("log:copies")), Flow[Order])
assert_type(orders.log("{body.id}").log(named, level="debug"), Flow[Order])
assert_type(orders.idempotent("seen", key=lambda order: order.id), Flow[Order])
assert_type(
    orders.saga(
        "book",
        Order,
        [
            Act("stock", do=lambda f: f.filter(lambda order: order.id > 0), undo=lambda f: f.transform(named)),
            Act("pay", do=lambda f: f.to("mock:pay"), undo=None, pivot=True),
        ],
        key=lambda order: order.id,
    ),
    Flow[Order],
)
assert_type(orders.throttle(rate=5, per=60, key=lambda order: order.customer, concurrent=2), Flow[Order])
assert_type(orders.throttle(rate=lambda order, message: order.id / 2, on_excess="refuse", name="crm"), Flow[Order])
assert_type(orders.delay("reminders", Order, by=3600).delay("days", Order, by=lambda order: order.id), Flow[Order])
assert_type(orders.delay("x", Order, until=lambda order, message: message.headers["at"]), Flow[Order])
assert_type(orders.hand_over("crm", Order, workers=4, order_by=lambda order: order.customer), Flow[Order])
assert_type(
    orders.resequence("in", Order, number=lambda order: order.id, gap=60, per=lambda order: order.customer), Flow[Order]
)
assert_type(orders.batch("b", Order, size=9).sort(key=lambda order: order.id).split(lambda batch: batch), Flow[Order])
assert_type(orders.sample(every=60).sample(nth=10), Flow[Order])
assert_type(orders.expire(at=lambda order: None if order.lines else 1_900_000_000), Flow[Order])
assert_type(orders.timeout(lambda order: order.transform(fetched), seconds=5), Flow[str])
assert_type(orders.bulkhead(lambda order: order.transform(fetched), name="crm", waiting=5, wait=1), Flow[str])
assert_type(
    orders.circuit_breaker(
        lambda order: order.transform(fetched),
        name="crm",
        on=(OSError, ValueError),
        never=FileNotFoundError,
        fallback=lambda order: order.transform(named),
    ),
    Flow[str],
)
assert_type(orders.multicast(lambda copy: copy.transform(fetched), lambda copy: copy.to("log:x")), Flow[Order])
assert_type(orders.multicast(priced, parallel=2, timeout=5, on_error=dead_letters(kept)), Flow[Order])
assert_type(orders.recipients(lambda order: order.customer, {"crm": priced, "log": lambda f: f.log("x")}), Flow[Order])
assert_type(orders.recipients(lambda order, message: ["crm"], {"crm": priced}, on_error="dead_letter"), Flow[Order])
assert_type(
    orders.scatter_gather({"a": priced, "b": lambda f: f.transform(lambda order: 2.5)}, timeout=5, enough=1),
    Flow[dict[str, float]],
)
assert_type(orders.scatter_gather({"a": priced}, choose=stops, on_error="leave_out"), Flow[dict[str, float]])
assert_type(orders.routing_slip(stops, {"log": lambda order: order.log("x")}), Flow[Order])
assert_type(orders.dynamic_router(lambda order: None if order.id else "x", {"x": lambda f: f.to("log:x")}), Flow[Order])
assert_type(orders.detour(lambda order: order.id > 3, lambda order: order.log("x")), Flow[Order])
assert_type(orders.detour(Switch("audit"), lambda order: order.log("x")), Flow[Order])
assert_type(orders.loop(lambda order: order.to("log:x"), times=lambda order: order.id), Flow[Order])
assert_type(orders.loop(lambda order: order.to("log:x"), while_=always, copy=True), Flow[Order])
assert_type(orders.load_balance(priced, priced, weights=(3, 1)), Flow[float])
assert_type(orders.load_balance(priced, priced, by=lambda order: order.customer), Flow[float])
assert_type(orders.failover(priced, lambda order: order.transform(lambda order: 1.0), start="next"), Flow[float])
assert_type(orders.to("file:out").intercept("file:*", lambda sent: sent.log("x"), skip=True), Flow[Order])
assert_type(orders.split(grouped(lambda order: order.lines, 3), sequence=True), Flow[list[Line]])
assert_type(orders.gather(grouped(lines_later, 3), lambda some: some.transform(len), retry=Retry(2)), Flow[list[int]])
assert_type(orders.stop(), Flow[Order])
assert_type(orders.to("control:pause", route=lambda order: order.customer), Flow[Order])
assert_type(orders.to("queue:work", priority=lambda order: order.id), Flow[Order])
assert_type(orders.then(Filter[Order](always)), Flow[Order])
assert_type(orders.split(lines).apply(shipped, "to "), Flow[str])
assert_type(orders.split(lines).apply(shipped, prefix="to "), Flow[str])
assert_type(
    orders.choice()
    .when(lambda order: order.id > 9, lambda big: big.transform(lambda order: order.customer))
    .when(lambda order, message: not order.lines, lambda empty: empty.transform(fetched))
    .otherwise(lambda rest: rest.transform(named)),
    Flow[str],
)
assert_type(
    orders.attempt(
        lambda order: order.transform(fetched),
        rescue={KeyError: lambda order: order.transform(named), OSError: lambda order: order.transform(fetched)},
        finally_=lambda order: order.to("log:done"),
        retry=(Retry(5, on=OSError), Retry(1)),
    ),
    Flow[str],
)
assert_type(
    orders.transaction(
        "sql:crm",
        lambda order: order.to("sql:crm/orders").transform(fetched).to("rabbitmq:placed"),
        name="orders",
        key=lambda order: order.id,
        order_by=lambda name: name,
        retry=Retry(5),
    ),
    Flow[str],
)


class Doubled(Step[int, int]):
    """A step of a stranger; it only has to have the right types here."""


def doubled(flow: Flow[int], step: Doubled) -> None:
    assert_type(flow.then(step), Flow[int])
