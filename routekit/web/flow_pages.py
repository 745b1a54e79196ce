"""Pages about routes: all of them in one picture, and each by itself with what can be done to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast, get_args

from anyio import to_thread
from starlette.responses import Response

from ..errors import BodyError
from ..operating.desk import Order
from ..operating.sights import BreakerSight, Health
from .landscape import FOLDED, MOST, View, fitting, landscape, modules
from .steps import picture_of
from .visit import Page, Visit

SAID: Mapping[str, str] = {"start": "started", "stop": "stopping", "pause": "pausing", "resume": "going on"}


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is not well: what it is, why, since when, and where to look."""

    kind: str
    name: str
    state: str
    reason: str
    since: float | None
    href: str


async def overview(visit: Visit) -> Response:
    """What flows, what is stuck and why."""
    view = View(visit.query("q"), frozenset(visit.request.query_params.getlist("open")), bool(visit.query("all")))
    routes = await visit.glance.routes()
    fit = fitting(routes, view.q)
    those = modules(fit, view)
    endpoints = await visit.glance.endpoints()
    draw = partial(landscape, those, endpoints, view)
    # what takes longer than a moment is not to stop the messages
    picture = await to_thread.run_sync(draw) if len(fit) > FOLDED else draw()
    return await visit.page(
        "overview.html",
        routes=routes,
        fit=fit,
        modules=those,
        view=view,
        picture=picture,
        most=MOST,
        concerns=[] if view.q else concerns(await visit.glance.health(), await visit.glance.breakers()),
    )


def concerns(health: Health, breakers: Sequence[BreakerSight]) -> list[Concern]:
    """What needs somebody."""
    pages = {"route": "/routes/", "endpoint": "/endpoints?q=", "store": "/store#", "leader": "/settings#"}
    found = [
        Concern(part.kind, part.name, part.state, part.reason, part.since, f"{pages[part.kind]}{part.name}")
        for part in health.parts
        if not part.ok
    ]
    return found + [
        Concern("breaker", one.name, one.state, one.why, one.since, "/work#breakers")
        for one in breakers
        if one.state != "closed"
    ]


async def pulse(visit: Visit) -> Response:
    """How it is as a whole, in a line at the head of every page."""
    routes = await visit.glance.routes()
    bad = len(concerns(await visit.glance.health(), await visit.glance.breakers()))
    return await visit.page("pulse.html", routes=routes, bad=bad)


async def route_page(visit: Visit) -> Response:
    """All about one route."""
    detail = await visit.desk.route(visit.request.path_params["name"])
    picture = picture_of(detail.drawing, detail.steps, received=detail.route.received + detail.route.brought)
    feeding = [route.name for route in await visit.glance.routes() if detail.route.name in route.feeds]
    return await visit.page("route.html", detail=detail, route=detail.route, picture=picture, feeding=feeding)


async def order(visit: Visit) -> Response:
    """Start, stop, pause or resume a route."""
    name, action = visit.request.path_params["name"], visit.form.get("action", "")
    if action not in get_args(Order):
        raise BodyError(f"'{action}' is nothing that a route can be asked")
    await visit.desk.order(cast("Order", action), name, by=visit.who)
    return visit.back(f"{name}: {SAID[action]}")


async def concurrency(visit: Visit) -> Response:
    """How many messages a route may have at work."""
    name, text = visit.request.path_params["name"], visit.form.get("value", "")
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise BodyError(f"the concurrency of {name} cannot be '{text}'", hint="write a number from 1 on")
    route = await visit.desk.concurrency(name, int(text), by=visit.who)
    return visit.back(f"{name}: up to {route.concurrency} messages at work, until it stops")


PAGES: Mapping[str, Page] = {"/": overview, "/pulse": pulse, "/routes/{name}": route_page}
FORMS: Mapping[str, Page] = {"/routes/{name}/order": order, "/routes/{name}/concurrency": concurrency}
