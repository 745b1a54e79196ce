"""Pages about endpoints: whether each is well, what it counts, and its documentation."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from ..errors import UnknownName
from ..operating.sights import EndpointSight
from .visit import Page, Visit

MOST = 500
"""Rows that are shown at once."""


async def endpoints(visit: Visit) -> Response:
    """The sources and sinks of all routes, those that are away first."""
    q = visit.query("q")
    found = fitting(await visit.glance.endpoints(), q)
    rank = {"down": 0, "unknown": 1, "ok": 2}
    rows = sorted(found, key=lambda one: (rank[one.health], one.uri, one.route))
    return await visit.page("endpoints.html", rows=rows[:MOST], count=len(rows), q=q)


def fitting(endpoints: Sequence[EndpointSight], q: str) -> list[EndpointSight]:
    """Those with each word of `q` in their URI, route, role or health."""
    words = q.lower().split()
    return [
        one
        for one in endpoints
        if all(word in f"{one.uri} {one.route} {one.role} {one.health}".lower() for word in words)
    ]


async def reference(visit: Visit) -> Response:
    """What a scheme is and which options it has, from the code itself."""
    name = visit.request.path_params["name"]
    if visit.console.documented is None:
        raise UnknownName("this console has no reference", hint=f"see: routekit describe {name}")
    return await visit.page("reference.html", name=name, entries=visit.console.documented(name))


PAGES: Mapping[str, Page] = {"/endpoints": endpoints, "/reference/{name}": reference}
