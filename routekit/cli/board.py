"""Board: what `routekit top` shows, and what keys do to it; it neither asks a daemon nor knows a terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from ..console import one_line
from ..operating.sights import RouteSight
from .units import ago, duration, rate
from .watching import STATES

Wish = tuple[Literal["pause", "resume", "stop", "start"], str]
"""What a key asks for, and of which route."""

HELP = "q quit  up/down select  p pause or resume  s stop or start  / filter  < > sort by  r reverse"

_ORDER = ("degraded", "stopping", "starting", "paused", "stopped", "running")
"""Sorted by state, what wants to be looked at comes first."""


@dataclass(frozen=True)
class Column:
    """One column: how wide, what stands in it and by what it is sorted; the last ones are left out where it is narrow.

    `falling` columns begin with the largest.
    """

    title: str
    width: int
    show: Callable[[RouteSight, float], str]
    by: Callable[[RouteSight], Any]
    falling: bool = True


COLUMNS: Mapping[str, Column] = {
    "route": Column("route", 0, lambda one, _: one.name, lambda one: one.name, falling=False),
    "state": Column("state", 8, lambda one, _: one.state, lambda one: _ORDER.index(one.state), falling=False),
    "rate": Column("rate", 8, lambda one, _: rate(one.rate), lambda one: one.rate),
    "in flight": Column("in flight", 9, lambda one, _: f"{one.in_flight:,}", lambda one: one.in_flight),
    "dead": Column("dead", 7, lambda one, _: f"{one.dead:,}", lambda one: one.dead),
    "p95": Column("p95", 8, lambda one, _: duration(one.p95), lambda one: one.p95 or 0.0),
    "done": Column("done", 10, lambda one, _: f"{one.done:,}", lambda one: one.done),
    "errors": Column("errors", 8, lambda one, _: rate(one.errors), lambda one: one.errors),
    "oldest": Column("oldest", 8, lambda one, _: duration(one.oldest), lambda one: one.oldest or 0.0),
    "since": Column("since", 8, lambda one, now: ago(now - one.since), lambda one: -one.since),
}
"""The columns, the most important first."""

Layout = tuple[int, Sequence[Column]]
"""The width of the names, and the other columns."""

_LOW = 8
"""Lines below which a screen has the routes alone, without titles and help."""

_LEAST = 12
"""Characters that a route's name has at least, before columns are left out for it."""


class Board:
    """The routes of a daemon as a table that keys work on."""

    def __init__(self) -> None:
        self.routes: Sequence[RouteSight] = ()
        self.now = 0.0
        self.sort = "route"
        self.reverse = False
        self.filter = ""
        self.typing = False
        self.selected = ""
        self.said = ""
        self.quit = False
        self.title = ""

    def update(self, routes: Sequence[RouteSight], now: float) -> None:
        """Show these from now on; the one that is selected stays so, if it is there still."""
        self.routes, self.now = routes, now
        self._select(0)

    @property
    def shown(self) -> list[RouteSight]:
        """The routes that the filter leaves, in their order."""
        column = COLUMNS[self.sort]
        those = [one for one in self.routes if self.filter.lower() in one.name.lower() or self.filter == one.state]
        by_name = sorted(those, key=lambda one: one.name)
        return sorted(by_name, key=column.by, reverse=column.falling != self.reverse)

    def key(self, key: str) -> Wish | None:
        """Do what a key stands for; what is to be asked of the daemon is given back."""
        self.said = ""
        if self.typing:
            self._type(key)
            return None
        if key in ("up", "k", "down", "j", "home", "end", "page up", "page down"):
            self._move(key)
        elif key in ("<", "left", ">", "right"):
            names = list(COLUMNS)
            step = 1 if key in (">", "right") else -1
            self.sort, self.reverse = names[(names.index(self.sort) + step) % len(names)], False
        elif key == "r":
            self.reverse = not self.reverse
        elif key == "/":
            self.typing = True
        elif key == "escape":
            self.filter = ""
        elif key in ("q", "Q"):
            self.quit = True
        elif key in ("p", " ", "s"):
            return self._wish(key)
        return None

    def _type(self, key: str) -> None:
        """A key that belongs to the filter."""
        if key == "enter":
            self.typing = False
        elif key == "escape":
            self.typing, self.filter = False, ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1 and key.isprintable():
            self.filter += key
        self._select(0)

    def _move(self, key: str) -> None:
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -10, "page down": 10}
        self._select(steps.get(key, -len(self.routes) if key == "home" else len(self.routes)))

    def _select(self, step: int) -> None:
        names = [one.name for one in self.shown]
        at = names.index(self.selected) if self.selected in names else 0
        self.selected = names[min(max(at + step, 0), len(names) - 1)] if names else ""

    def _wish(self, key: str) -> Wish | None:
        one = next((one for one in self.shown if one.name == self.selected), None)
        if one is None:
            return None
        if key == "s":
            return ("start" if one.state == "stopped" else "stop"), one.name
        return ("resume" if one.state == "paused" else "pause"), one.name

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.size.height
        yield Group(*self.lines(width, height))

    def lines(self, width: int, height: int) -> list[Text]:
        """What is on a screen of that size: never more lines, and none that is longer."""
        shown = self.shown
        layout = self._columns(width)
        low = height < _LOW
        room = max(1, height - (2 if low else 5))  # the last line stays free, else the terminal would scroll
        first = self._first(shown, room)
        rows = [self._row(one, layout) for one in shown[first : first + room]]
        if not rows:
            rows = [Text(f"no route fits '{self.filter}'" if self.filter else "no route", style="dim")]
        more = f"  {first + 1:,}-{first + len(rows):,} of {len(shown):,}" if len(shown) > room else ""
        lines = [self._summary(more), *rows]
        if not low:
            space = [Text() for _ in range(room - len(rows))]
            lines = [lines[0], self._header(layout), *rows, *space, self._detail(shown), self._footer()]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
            line.no_wrap = True
        return lines[: max(1, height - 1)]

    def _first(self, shown: Sequence[RouteSight], room: int) -> int:
        """The first row on the screen, so that the selected one is there."""
        at = next((number for number, one in enumerate(shown) if one.name == self.selected), 0)
        return max(0, min(at - room // 2, len(shown) - room))

    def _columns(self, width: int) -> Layout:
        """The width of the names, and the other columns that there is room for."""
        _, *others = COLUMNS.values()
        longest = max([len(one.name) for one in self.routes] + [_LEAST])
        while others and sum(column.width + 1 for column in others) + min(longest, max(_LEAST, width // 3)) > width:
            others.pop()
        return max(1, min(longest, width - sum(column.width + 1 for column in others))), others

    def _summary(self, more: str) -> Text:
        states = [one.state for one in self.routes]
        text = Text(f"{len(states):,} route{'s' if len(states) != 1 else ''}{more}")
        for state in STATES:
            if states.count(state):
                text.append(f"  {states.count(state)} {state}", style=STATES[state])
        flight, dead = (sum(getattr(one, name) for one in self.routes) for name in ("in_flight", "dead"))
        text.append(f"  {rate(sum(one.rate for one in self.routes))}  {flight:,} in flight  {dead:,} dead")
        return text.append(f"  {self.title}", style="dim")

    def _header(self, layout: Layout) -> Text:
        names, others = layout
        text = Text(style="bold")
        for column in (COLUMNS["route"], *others):
            sign = ("v" if column.falling != self.reverse else "^") if column is COLUMNS[self.sort] else ""
            text.append(_cell(column, f"{column.title}{sign}", names), style="reverse" if sign else "")
        return text

    def _row(self, one: RouteSight, layout: Layout) -> Text:
        names, others = layout
        text = Text(style="reverse" if one.name == self.selected else "")
        for column in (COLUMNS["route"], *others):
            style = (
                STATES[one.state] if column.title == "state" else "red" if column.title == "dead" and one.dead else ""
            )
            text.append(_cell(column, one_line(column.show(one, self.now)), names), style=style)
        return text

    def _detail(self, shown: Sequence[RouteSight]) -> Text:
        """The selected route, and why it is as it is."""
        one = next((one for one in shown if one.name == self.selected), None)
        if one is None:
            return Text()
        text = Text(f"{one.name}: {one.state} for {ago(self.now - one.since)}", style=STATES[one.state])
        text.append(f": {one_line(one.why)}" if one.why else "")
        return text.append(f"  from {one_line(one.source)}", style="dim")

    def _footer(self) -> Text:
        if self.typing:
            return Text(f"filter: {self.filter}_   enter keeps it, escape takes it away", style="bold")
        if self.said:
            return Text(one_line(self.said), style="bold")
        return Text(
            f"{HELP}" if not self.filter else f"filter: {self.filter}   escape takes it away   {HELP}", style="dim"
        )


def _cell(column: Column, text: str, names: int) -> str:
    """A text in the width of its column: names and states to the left, figures to the right; the first has no gap."""
    width = column.width or names
    gap = " " if column.width else ""
    if len(text) > width:
        text = f"{text[: width - 1]}…"
    return f"{gap}{text:<{width}}" if column.title in ("route", "state") else f"{gap}{text:>{width}}"
