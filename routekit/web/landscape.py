"""Landscape: all routes in one picture, joined by what they feed and by the endpoints that they share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log10
from urllib.parse import quote, urlencode

from ..operating.sights import EndpointSight, RouteSight
from .formats import clipped, number, rate, shortened, span
from .picture import Arrow, Picture, Shape, drawn

FOLDED = 30
"""Above so many routes those of a module are one box, unless it is opened."""

MOST = 150
"""Boxes that are drawn without being asked for."""

_INSIDE = frozenset({"direct", "queue", "control", "log", "mock"})
"""Schemes of endpoints within the process: routes are joined by what they feed, and a log is no system."""

_WORST = ("degraded", "starting", "stopping", "paused", "stopped", "running")
_SIZE = (186.0, 54.0)
_GAP = 88.0
_LAGS = 1.0
"""Seconds from which the age of the oldest message is worth a word."""


@dataclass(frozen=True, slots=True)
class View:
    """What is to be seen: routes that fit `q`, modules that are `open`, and `all`, however many boxes that makes."""

    q: str = ""
    open: frozenset[str] = frozenset()
    all: bool = False

    def turned(self, module: str) -> str:
        """The query by which a module is opened, or folded again."""
        opened = sorted(self.open ^ {module})
        return urlencode([*([("q", self.q)] if self.q else []), *(("open", name) for name in opened)])


@dataclass(frozen=True, slots=True)
class Module:
    """The routes of one module, and how they are together."""

    name: str
    routes: Sequence[RouteSight]
    open: bool

    @property
    def state(self) -> str:
        """The worst of their states."""
        found = {route.state for route in self.routes}
        return next(state for state in _WORST if state in found)

    @property
    def rate(self) -> float:
        """Messages done in a second."""
        return sum(route.rate for route in self.routes)

    @property
    def errors(self) -> float:
        """Messages that fail for good in a second."""
        return sum(route.errors for route in self.routes)

    @property
    def in_flight(self) -> int:
        """Messages at work."""
        return sum(route.in_flight for route in self.routes)

    @property
    def done(self) -> int:
        """Messages done since the start."""
        return sum(route.done for route in self.routes)

    @property
    def dead(self) -> int:
        """Messages that became dead letters, or were refused, since the start."""
        return sum(route.dead + route.refused for route in self.routes)

    @property
    def oldest(self) -> float | None:
        """The age of the oldest message at work."""
        return max((route.oldest for route in self.routes if route.oldest is not None), default=None)


def fitting(routes: Iterable[RouteSight], q: str) -> list[RouteSight]:
    """The routes with each word of `q` in their name, state, source or module."""
    words = q.lower().split()
    return [
        route
        for route in routes
        if all(word in f"{route.name} {route.state} {route.source} {route.module}".lower() for word in words)
    ]


def modules(routes: Sequence[RouteSight], view: View) -> list[Module]:
    """Routes by module; all of them open while there are few."""
    found: dict[str, list[RouteSight]] = {}
    for route in routes:
        found.setdefault(route.module, []).append(route)
    few = len(routes) <= FOLDED or view.all
    return [Module(name, those, few or name in view.open or len(those) == 1) for name, those in sorted(found.items())]


def landscape(modules: Sequence[Module], endpoints: Sequence[EndpointSight], view: View) -> Picture | None:
    """The picture; None if it has more than `MOST` boxes and was not asked for."""
    boxes = {route.name: _box(module, route) for module in modules for route in module.routes}
    known = {route.name: route for module in modules for route in module.routes}
    shapes = [shape for module in modules for shape in _shapes(module, view)]
    if len(shapes) > MOST and not view.all:
        return None
    shared = len(boxes) > FOLDED
    pills, ties = _endpoints(boxes, known, endpoints, shared=shared)
    arrows = [*_feeds(modules, boxes), *ties]
    if len(shapes) + len(pills) > MOST and not view.all:
        pills, arrows = [], _feeds(modules, boxes)
    count = sum(len(module.routes) for module in modules)
    words = f"{count} route{'s' * (count != 1)} and how messages flow between them; the table below says the same"
    return drawn([*shapes, *pills], arrows, words=words, gap=_GAP)


def _box(module: Module, route: RouteSight) -> str:
    """The box that a route is in."""
    return f"r:{route.name}" if module.open else f"m:{module.name}"


def _shapes(module: Module, view: View) -> Iterable[Shape]:
    if module.open:
        return [_route(route) for route in module.routes]
    return [_module(module, view)]


def _route(route: RouteSight) -> Shape:
    alarm = f"{rate(route.errors)} failing" if route.errors else ""
    said = rate(route.rate) if route.state == "running" else route.state
    if route.state == "degraded":
        alarm = alarm or clipped(route.why.partition(":")[0], 14)
    elif not alarm and route.p95 is not None:
        said += f" · p95 {span(route.p95)}"
    tip = f"{route.name}, {route.state}{': ' if route.why else ''}{route.why}\nfrom {route.source}"
    href = f"routes/{quote(route.name)}"
    return Shape(
        f"r:{route.name}", shortened(route.name, 21), (said,), "route", route.state, tip, href, alarm, "", *_SIZE
    )


def _module(module: Module, view: View) -> Shape:
    ill = [route for route in module.routes if route.state == "degraded"]
    alarm = f"{len(ill)} degraded" if ill else f"{rate(module.errors)} failing" if module.errors else ""
    lines = (f"{len(module.routes)} routes · {rate(module.rate)}",)
    tip = f"{module.name}: {len(module.routes)} routes, folded into one box"
    href = f"?{view.turned(module.name)}"
    title = shortened(module.name, 21)
    return Shape(f"m:{module.name}", title, lines, "module", module.state, tip, href, alarm, "", *_SIZE)


def _feeds(modules: Sequence[Module], boxes: Mapping[str, str]) -> list[Arrow]:
    """An arrow from each route to those that it sends to; figures where all that comes is from there."""
    known = {route.name: route for module in modules for route in module.routes}
    found: dict[tuple[str, str], list[tuple[RouteSight, RouteSight]]] = {}
    for route in known.values():
        for name in route.feeds:
            if name in known and (boxes[route.name] != boxes[name] or route.name == name):
                found.setdefault((boxes[route.name], boxes[name]), []).append((route, known[name]))
    into: dict[str, int] = {}
    for _, target in found:
        into[target] = into.get(target, 0) + 1
    arrows: list[Arrow] = []
    for (source, target), pairs in found.items():
        alone = into[target] == 1 and target.startswith("r:")
        arrows.append(_flow(source, target, pairs[0][1] if alone else None, max(one.rate for one, _ in pairs)))
    return arrows


def _flow(source: str, target: str, fed: RouteSight | None, speed: float, waiting: float = 0.0) -> Arrow:
    """An arrow into a route: how many come, how long they wait, how many fail."""
    label = rate(fed.rate) if fed is not None and fed.rate else ""
    below = f"{number(waiting)} waiting" if waiting else ""
    if fed is not None and fed.oldest is not None and fed.oldest >= _LAGS:
        below = below or f"lag {span(fed.oldest)}"
    alarm = rate(fed.errors) if fed is not None and fed.errors else ""
    tip = "; ".join(part for part in (label, below, f"{alarm} failing" if alarm else "") if part)
    return Arrow(source, target, label, below, alarm, "", _weight(speed), tip)


def _sent(source: str, target: str, end: EndpointSight | None, speed: float) -> Arrow:
    """An arrow out of a route: how many are sent there, and how many of them fail."""
    if end is None:
        return Arrow(source, target, weight=_weight(speed))
    label, alarm = rate(end.rate) if end.rate else "", rate(end.errors) if end.errors else ""
    tip = "; ".join(part for part in (f"{label} sent" if label else "", f"{alarm} failing" if alarm else "") if part)
    return Arrow(source, target, label, "", alarm, weight=_weight(end.rate + end.errors), tip=tip)


def _weight(speed: float) -> int:
    return 0 if speed <= 0 else max(1, min(4, 2 + int(log10(speed) // 1)))


def _endpoints(
    boxes: Mapping[str, str], known: Mapping[str, RouteSight], endpoints: Sequence[EndpointSight], *, shared: bool
) -> tuple[list[Shape], list[Arrow]]:
    """The endpoints, and their arrows; with `shared` only those that join boxes."""
    those: dict[str, list[EndpointSight]] = {}
    for one in endpoints:
        if one.route in boxes and one.scheme not in _INSIDE:
            those.setdefault(_address(one), []).append(one)
    shapes: list[Shape] = []
    arrows: dict[tuple[str, str], Arrow] = {}
    for uri, users in those.items():
        if not shared or len({boxes[one.route] for one in users}) > 1:
            shapes.append(_pill(uri, users))
            for one in users:
                arrow = _tie(one, boxes[one.route], known[one.route])
                arrows.setdefault((arrow.source, arrow.target), arrow)
    return shapes, list(arrows.values())


def _tie(one: EndpointSight, box: str, route: RouteSight) -> Arrow:
    """The arrow between an endpoint and its route."""
    pill, alone = f"e:{_address(one)}", box.startswith("r:")
    if one.role == "source":
        arrow = _flow(pill, box, route if alone else None, route.rate, one.figures.get("waiting", 0.0))
    else:
        arrow = _sent(box, pill, one if alone else None, route.rate)
    away = one.health == "down"
    return replace(arrow, look="down", alarm="away", tip=one.reason) if away else arrow


def _address(one: EndpointSight) -> str:
    """What endpoints share: the URI without its options."""
    return _path(one.uri)


def _path(uri: str) -> str:
    return uri.partition("?")[0]


def _pill(uri: str, users: Sequence[EndpointSight]) -> Shape:
    down = next((one for one in users if one.health == "down"), None)
    text = shortened(uri, 24)
    tip = f"{uri}{f', away: {down.reason}' if down else ''}\nused by {', '.join(sorted({one.route for one in users}))}"
    href = f"endpoints?q={quote(uri, safe='')}"
    state = "down" if down else ""
    return Shape(f"e:{uri}", text, (), "endpoint", state, tip, href, width=34.0 + 7.0 * len(text), height=32.0)
