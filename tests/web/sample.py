"""A Tuesday afternoon in the shop: one sink is away, one route is paused, some letters lie there."""

from typing import Any

from routekit import Letter
from routekit.operating.sights import (
    BreakerSight,
    DeedSight,
    EndpointSight,
    FailureSight,
    FlightSight,
    GroupSight,
    HeldSight,
    HopSight,
    LineSight,
    PromiseSight,
    RouteDetail,
    RouteSight,
    SettingSight,
    StepSight,
    TraceSight,
)
from routekit.show import as_json, walk

from .memory_desk import MemoryDesk
from .shop import CODE, routes

NOW = 1_795_283_000.0
"""When all of it is seen."""

AWAY = "Unavailable: cannot connect to http://mail.example:80: connection refused"

FIGURES: dict[str, dict[str, Any]] = {
    "shop.web": {"rate": 41.7, "done": 182_441, "in_flight": 3, "p50": 0.004, "p95": 0.021, "p99": 0.048},
    "shop.marketplace": {"rate": 2.3, "done": 9_120, "p50": 0.006, "p95": 0.03, "p99": 0.09},
    "shop.orders": {
        "rate": 44.0, "errors": 0.31, "done": 191_404, "ended": 211, "retried": 37, "dead": 46, "in_flight": 4,
        "oldest": 0.4, "p50": 0.003, "p95": 0.019, "p99": 0.041, "concurrency": 8,
    },
    "shop.mails": {
        "state": "degraded", "why": AWAY, "rate": 0.0, "done": 188_002, "retried": 12, "in_flight": 1,
        "oldest": 254.0, "p50": 0.09, "p95": 0.3, "p99": 0.8, "since": NOW - 254,
    },
    "erp.stock": {"rate": 0.03, "done": 2_880, "p50": 0.2, "p95": 0.41, "p99": 0.6},
    "erp.invoices": {"state": "paused", "why": "paused by anna", "since": NOW - 5_400, "done": 1_440, "p95": 0.05},
    "crm.contacts": {"rate": 7.2, "done": 48_733, "in_flight": 12, "oldest": 3.4, "p50": 0.04, "p95": 0.2, "p99": 1.1},
    "crm.nightly": {"done": 31, "p50": 92.0, "p95": 140.0, "p99": 151.0},
}  # fmt: skip

FEEDS = {"shop.web": ["shop.orders"], "shop.marketplace": ["shop.orders"], "shop.orders": ["shop.mails"]}
WAITING = {"rabbitmq:contacts": 840.0, "queue:booked": 1_204.0, "file:data/market": 2.0}


def desk() -> MemoryDesk:
    """All of it."""
    made = MemoryDesk({route.name: _detail(route) for route in routes()}, NOW)
    for route in routes():
        source, *_ = walk(route)
        made.these_endpoints.append(_endpoint(route.name, source.label, "source"))
        for target in _targets(as_json(route)["steps"]):
            made.these_endpoints.append(_endpoint(route.name, target, "sink"))
    made.these_flights += [
        FlightSight(route="shop.mails", message="o-88120", step="to http:mail.example/send", seconds=254.0),
        *[
            FlightSight(route="crm.contacts", message=f"c-{n}", step="to sql:crm/contacts", seconds=n / 3)
            for n in (3, 9)
        ],
        FlightSight(route="shop.orders", message="o-88231", step="transform(as_booking)", seconds=0.4),
    ]
    made.these_groups += [
        GroupSight(
            name="monthly", route="erp.invoices", key=f"K-{n}", size=n * 3, first=NOW - n * 5000, last=NOW - n * 60
        )
        for n in range(1, 6)
    ]
    made.these_breakers += [
        BreakerSight(
            name="mail", route="shop.mails", state="half-open", why="5 of the last 10 failed", since=NOW - 250
        ),
        BreakerSight(name="erp", route="shop.orders", state="closed"),
    ]
    made.held += [
        HeldSight(kind="keys", name="orders-seen", count=191_404, oldest=NOW - 8_640_00),
        HeldSight(kind="groups", name="monthly", count=5, oldest=NOW - 25_000),
        HeldSight(kind="letters", name="", count=46, oldest=NOW - 80_000),
        HeldSight(kind="queue", name="booked", count=1_204, oldest=NOW - 254),
    ]
    made.these_settings += [
        SettingSight(name="data", value="data", origin="default", doc="folder of the store and of what is kept"),
        SettingSight(
            name="drain", value="30s", origin="routekit.toml:3", doc="how long messages in flight may take at the end"
        ),
        SettingSight(
            name="control.token",
            value="***",
            origin="environment ROUTEKIT_CONTROL__TOKEN",
            doc="what an operator shows",
        ),
        SettingSight(
            name="sql.crm.url",
            value="postgresql://crm:***@db/crm",
            origin="routekit.prod.toml:8",
            doc="where the database is",
        ),
        SettingSight(name="log", value="info", origin="--set", doc="the least level of lines that are written"),
    ]
    made.deeds += [
        DeedSight(when=NOW - 5_400, who="anna", action="pause", what="erp.invoices", details="month end"),
        DeedSight(
            when=NOW - 9_000, who="ben", action="letters.discard", what="9f2c41", details="test order of the agency"
        ),
        DeedSight(when=NOW - 86_000, who="anna", action="concurrency", what="shop.orders", details="8"),
    ]
    made.lines += [
        _line(1, "info", "running", "shop.orders"),
        _line(
            2,
            "warning",
            "o-88109: try 1 failed, again in 0.2 s: Unavailable: database is locked",
            "shop.orders",
            "o-88109",
        ),
        _line(3, "warning", f"degraded, again in 30 s: {AWAY}", "shop.mails"),
        _line(
            4,
            "error",
            "o-88140: dead letter at validate(paid): Invalid: the amount is missing",
            "shop.orders",
            "o-88140",
        ),
        _line(5, "info", "paused: paused by anna", "erp.invoices"),
    ]
    made.these_traces += [trace("o-88231"), trace("o-88140", failed=True)]
    return made


def letters() -> list[Letter]:
    """Dead letters of `shop.orders`, of two kinds."""

    def one(number: int, step: str, error: str, reason: str, body: Any) -> Letter:
        return Letter(
            f"{number:04x}c0ffee", f"o-{88_100 + number}", "shop.orders", "direct:orders", step, _place(step), error,
            reason, 1, NOW - 60 * number, body, {"http.method": "POST", "agent": "web-shop/4.2"},
        )  # fmt: skip

    missing = [
        one(n, "validate(paid)", "Invalid", "the amount is missing", {"id": f"A-{n}", "customer": "Miller", "total": 0})
        for n in range(1, 42)
    ]
    locked = [
        one(
            n,
            "to sql:erp/bookings?mode=upsert&key=id",
            "Unavailable",
            f"database is locked after {n} s",
            {"id": f"B-{n}", "customer": "Brown", "total": 12.5 * n},
        )
        for n in range(50, 55)
    ]
    return missing + locked


def _place(step: str) -> str:
    orders = next(route for route in routes() if route.name == "shop.orders")
    return next((str(node.place) for node in walk(orders) if node.label == step), "routes/shop.py:1")


def _detail(route: Any) -> RouteDetail:
    drawing = as_json(route)
    figures = {"state": "running", "since": NOW - 90_000, "feeds": FEEDS.get(route.name, ()), **FIGURES[route.name]}
    figures.setdefault("received", figures.get("done", 0) + figures.get("dead", 0))
    source = drawing["steps"][0]["label"]
    sight = RouteSight(name=route.name, module=route.name.partition(".")[0], source=source, **figures)
    is_orders = route.name == "shop.orders"
    return RouteDetail(
        route=sight,
        steps=[_step(label, node, sight) for label, node in _labelled(drawing["steps"][1:])],
        promises=[
            PromiseSight(
                sink=target,
                delivery="at least once",
                ordered="no",
                survives=not target.startswith("queue"),
                reasons=["the source is acknowledged after the sink has it", "8 are in flight: one may pass another"],
                stronger="exactly once, if the sink knows messages by their key" if is_orders else "",
            )
            for target in _targets(drawing["steps"])
        ],
        failures=[
            FailureSight(
                when=NOW - 20, message="o-88140", step="validate(paid)", error="Invalid",
                reason="the amount is missing", outcome="dead",
            ),
            FailureSight(
                when=NOW - 95, message="o-88109", step="to sql:erp/bookings", error="Unavailable",
                reason="database is locked", outcome="retried",
            ),
        ]
        if is_orders
        else (),
        drawing=drawing,
        doc=route.doc,
        code=CODE if is_orders else "",
        place="routes/shop.py:12",
    )  # fmt: skip


def _labelled(steps: Any, within: str = "") -> list[tuple[str, Any]]:
    """Each step with its label as errors have it: with the branches around it."""
    found: list[tuple[str, Any]] = []
    for step in steps:
        found.append((within + step["label"], step))
        for branch in step.get("branches", ()):
            name = branch["label"].replace(" ", "(", 1) + ")" * (" " in branch["label"])
            found += _labelled(branch["steps"], f"{within}{name} > ")
    return found


def _nodes(steps: Any) -> list[Any]:
    found: list[Any] = []
    for step in steps:
        found.append(step)
        for branch in step.get("branches", ()):
            found += _nodes(branch["steps"])
    return found


def _targets(steps: Any) -> list[str]:
    return list(dict.fromkeys(target for node in _nodes(steps) for target in node.get("targets", ())))


def _step(label: str, node: Any, route: RouteSight) -> StepSight:
    share = 0.04 if node["label"] == "to log:sales" else 1.0
    failures = route.dead if node["label"] == "validate(paid)" else 0
    quantiles = {"p50": 0.0004, "p95": 0.002, "p99": 0.006} if route.rate else {}
    return StepSight(label=label, place=node["place"], count=int(route.done * share), failures=failures, **quantiles)


def _endpoint(route: str, uri: str, role: Any) -> EndpointSight:
    down = uri.startswith("http:mail")
    waits = WAITING.get(uri.partition("?")[0])
    return EndpointSight(
        route=route,
        uri=uri,
        scheme=uri.partition(":")[0],
        role=role,
        health="down" if down else "ok",
        reason=AWAY if down else "",
        since=NOW - 254 if down else NOW - 90_000,
        figures={"waiting": waits} if waits is not None and role == "source" else {},
    )


def _line(number: int, level: str, text: str, route: str, message: str = "") -> LineSight:
    return LineSight(number=number, when=NOW - 300 + 40 * number, level=level, text=text, route=route, message=message)


def trace(message: str, *, failed: bool = False) -> TraceSight:
    """The way of one order: through all steps, or to the check that it failed."""
    orders = next(route for route in routes() if route.name == "shop.orders")
    order = {"id": message, "customer": "Miller", "total": 0 if failed else 1_890.5}
    booking = {"id": message, "account": 8400, "amount": 1_890.5}
    hops: list[HopSight] = []
    for number, (label, node) in enumerate(_labelled(as_json(orders)["steps"][1:])):
        ends = failed and node["kind"] == "validate"
        after = None if ends else booking if node["kind"] == "transform" else order
        hops.append(
            HopSight(
                id=message, step=label, place=node["place"], at=NOW - 60 + number * 0.001,
                seconds=0.0004 * (number + 1), outcome="failed" if ends else "sent" if node["kind"] == "to" else "on",
                decision="when(big): order.total > 1000, it is 1890.5" if node["kind"] == "choice" else "",
                error="Invalid: the amount is missing" if ends else "", before=order, after=after,
            )
        )  # fmt: skip
        order = after or order
        if ends:
            break
    ended = "dead letter" if failed else "done"
    return TraceSight(
        message=message, route="shop.orders", began=NOW - 60, seconds=0.0131, ended=ended, hops=hops,
        parent=f"shop.web/{message}",
    )  # fmt: skip


def many(count: int, modules: int) -> MemoryDesk:
    """So many routes in so many modules, each feeding the next one of its own."""
    details: dict[str, RouteDetail] = {}
    size = count // modules
    for number in range(count):
        module = f"branch{number // size:03}"
        name = f"{module}.orders_{number % size:02}"
        feeds = [f"{module}.orders_{number % size + 1:02}"] if number % size + 1 < size else []
        sight = RouteSight(
            name=name, state="running", since=NOW - 90_000, module=module, source=f"rabbitmq:orders-{number}",
            rate=number % 7, done=number * 31, p95=0.01, feeds=feeds,
        )  # fmt: skip
        details[name] = RouteDetail(route=sight)
    return MemoryDesk(details, NOW)
