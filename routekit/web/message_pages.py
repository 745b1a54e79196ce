"""Pages about messages: those at work, the newest that were traced, and the way of one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import ndiff
from typing import Any

from starlette.responses import Response

from ..errors import BodyError, UnknownName
from ..lettering.selecting import Selection
from ..operating.letter_sights import LetterSight
from ..operating.sights import HopSight, TraceSight
from .formats import pretty
from .picture import Picture
from .steps import key_of, numbered, picture_of
from .visit import Page, Visit

LINES = 250
"""Lines of a body that are compared; of a larger one the beginning is shown."""

ROOM = 600
"""Lines of bodies on one page: a page is not to be heavy."""

NEWEST = 100

HOPS = 80
"""Hops that are shown one by one."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A line of a body: kept (` `), added (`+`) or taken away (`-`)."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Hop:
    """A step that was passed, and what it changed."""

    sight: HopSight
    number: int
    """That of its step in the picture."""
    lines: Sequence[Changed]
    changed: bool
    cut: int
    """Lines that are not shown."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way of a message through one route."""

    trace: TraceSight
    picture: Picture
    hops: Sequence[Hop]
    more: int = 0
    """Hops that are not shown."""


async def messages(visit: Visit) -> Response:
    """The newest traces, of all routes or one."""
    route = visit.query("route")
    traces = await visit.desk.traces(route=route or None, limit=NEWEST)
    return await visit.page("messages.html", traces=traces, route=route)


async def message(visit: Visit) -> Response:
    """The way of one message, through each route that traced it."""
    name = visit.query("id")
    traces = await visit.desk.trace(name, route=visit.query("route") or None)
    letters = await _letters(visit, name)
    if not traces and not letters:
        hint = "a message is traced if its route says so, and was picked; see: routekit trace"
        raise UnknownName(f"nothing is known of message '{name}'", hint=hint)
    ways = [await _way(visit, trace) for trace in traces]
    return await visit.page("message.html", name=name, ways=ways, letters=letters)


async def _letters(visit: Visit, name: str) -> Sequence[LetterSight]:
    """The dead letters of a message: by them it can be replayed."""
    if visit.console.letters is None or not name:
        return ()
    found = await visit.console.letters.list(Selection(text=name), by=visit.who)
    return [letter for letter in found.letters if letter.message == name]


async def _way(visit: Visit, trace: TraceSight) -> Way:
    try:
        drawing: Mapping[str, Any] = (await visit.desk.route(trace.route)).drawing
    except UnknownName:  # the route was removed since
        drawing = {}
    return Way(trace, picture_of(drawing, (), trace.hops), hops_of(trace.hops), max(0, len(trace.hops) - HOPS))


def hops_of(hops: Sequence[HopSight]) -> list[Hop]:
    """The first hops, with the lines of their bodies as long as there is room."""
    numbers = numbered(hops)
    shown: list[Hop] = []
    room = ROOM
    for hop in hops[:HOPS]:
        lines = _lines(hop)
        most = min(LINES, room)
        changed = any(line.sign != " " for line in lines)
        shown.append(Hop(hop, numbers[key_of(hop)], lines[:most], changed, max(0, len(lines) - most)))
        room -= len(shown[-1].lines)
    return shown


def _lines(hop: HopSight) -> list[Changed]:
    """The lines of a body, before and after."""
    before, after = ("" if data is None else pretty(data) for data in (hop.before, hop.after))
    return compared(before.splitlines(), after.splitlines() if hop.after is not None else before.splitlines())


def compared(before: Sequence[str], after: Sequence[str]) -> list[Changed]:
    """The lines of both, each once.

    >>> [f"{line.sign}{line.text}" for line in compared(["a", "b"], ["a", "c"])]
    [' a', '-b', '+c']
    """
    if before == after or max(len(before), len(after)) > LINES:
        signs = [(" ", line) for line in after] if before == after else _whole(before, after)
        return [Changed(sign, line) for sign, line in signs]
    return [Changed(line[0], line[2:]) for line in ndiff(before, after) if line[0] != "?"]


def _whole(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    """What is too long to be compared line by line."""
    half = LINES // 2
    return [("-", line) for line in before[:half]] + [("+", line) for line in after[:half]]


async def work(visit: Visit) -> Response:
    """What is at work, what waits in groups, and what breakers guard."""
    return await visit.page(
        "work.html",
        flights=await visit.desk.flights(visit.query("route") or None),
        groups=await visit.desk.groups(visit.query("route") or None),
        breakers=await visit.desk.breakers(),
        route=visit.query("route"),
    )


async def flush(visit: Visit) -> Response:
    """Let groups go on."""
    name = visit.form.get("name", "")
    key = visit.form.get("key") if "key" in visit.form else None
    count = await visit.desk.flush(name, key, by=visit.who)
    return visit.back(f"{name}: {count} group{'s' * (count != 1)} let go on")


async def breaker(visit: Visit) -> Response:
    """Open or close a breaker."""
    name, action = visit.form.get("name", ""), visit.form.get("action", "")
    if action == "open":
        await visit.desk.breaker("open", name, by=visit.who)
    elif action == "close":
        await visit.desk.breaker("close", name, by=visit.who)
    else:
        raise BodyError(f"'{action}' is nothing that a breaker can be asked")
    return visit.back(f"circuit breaker {name}: {action}")


PAGES: Mapping[str, Page] = {"/messages": messages, "/message": message, "/work": work}
FORMS: Mapping[str, Page] = {"/groups/flush": flush, "/breakers/order": breaker}
