"""How `routekit check` shows what routes promise: a line for each route and sink, with -v all reasons."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from ..conduct import Order
from ..guarantees import Guarantee

_ORDER: dict[Order, str] = {"yes": "yes", "per key": "per key", "no": "no"}

_SINK = 40
"""Columns before the sink."""


def promises(found: Sequence[Guarantee], width: int | None, *, reasons: bool = False) -> Iterator[str]:
    """The lines, folded to a width if one is given; what may be lost is explained in any case."""
    if found:
        yield f"  {'delivery':<16}  {'ordered':<8}  {'crash':<8}  sink"
    for route, those in groupby(found, key=lambda one: one.route):
        yield route
        for one in those:
            yield from _line(one, width)
            if reasons:
                yield from _reasons(one, width)
            elif one.delivery == "at-most-once":
                lost = next(reason for reason in one.reasons if reason.startswith("may be lost"))
                yield from _folded(f"{lost}{f'; write {one.stronger}' if one.stronger else ''}", 6, width)
    if not reasons and any(one.delivery != "effectively-once" for one in found):
        yield "with -v: why, and what would make it stronger"


def _line(one: Guarantee, width: int | None) -> Iterator[str]:
    crash = "survives" if one.survives else "does not"
    sink = f"{one.sink} through {', '.join(one.via)}" if one.via else one.sink
    first, *rest = _folded(sink, _SINK, width)
    yield f"  {one.delivery:<16}  {_ORDER[one.ordered]:<8}  {crash:<8}  {first.strip()}"
    yield from rest


def _reasons(one: Guarantee, width: int | None) -> Iterator[str]:
    for reason in one.reasons:
        first, *rest = _folded(reason, 8, width)
        yield from (f"      - {first.strip()}", *rest)
    for what, words in (("stronger", one.stronger), ("in order", one.order_words)):
        if words:
            yield from _folded(f"{what}: {words}", 6, width)


def _folded(text: str, indent: int, width: int | None) -> list[str]:
    """The text with so many blanks before each of its lines."""
    if width is None:
        return [" " * indent + text]
    lines = wrap(text, max(20, width - indent), break_on_hyphens=False)
    return [" " * indent + line for line in lines] or [""]
