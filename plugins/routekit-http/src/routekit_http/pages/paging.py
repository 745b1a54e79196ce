"""How an API pages: what to ask for at a position, and which position follows.

Laws that tests hold: on a source that does not change, every row comes exactly once. On one that does, no row that
exists throughout is missed with cursors, next URLs and keysets, as far as the API keeps its word; with offsets and
page numbers it may be: rows that are removed before the position make others slip past it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from .pointers import flag_at

Position: TypeAlias = Mapping[str, Any]
"""Where to read, as plain data."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for beside the fixed query: parameters, headers, or another URL altogether."""

    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What was answered: the URL that was asked, the whole document, the headers in lower case, and the rows."""

    url: str
    document: Any
    headers: Mapping[str, str]
    rows: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Next:
    """The position that follows; `more` is whether to read there at once, else after a rest. None is the beginning."""

    position: Position | None = None
    more: bool = False


class Paging(Protocol):
    """One way to page."""

    def ask(self, position: Position | None) -> Ask:
        """What to ask for at a position; None is the beginning."""
        ...

    def fresh(self, position: Position | None, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows of a page that have not come before it."""
        ...

    def after(self, position: Position | None, page: Page) -> Next:
        """What follows; raises if the API goes in circles."""
        ...


class All:
    """Every row of a page counts."""

    def fresh(self, position: Position | None, rows: Sequence[Any]) -> Sequence[Any]:
        """All of them."""
        return rows


@dataclass(frozen=True)
class Whole(All):
    """One page; asked for again only if it has changed, where the API tells so by ETag or time."""

    def ask(self, position: Position | None) -> Ask:
        """Only what is newer."""
        headers = {"if-none-match": "etag", "if-modified-since": "modified"}
        return Ask(headers={name: position[key] for name, key in headers.items() if position and key in position})

    def after(self, position: Position | None, page: Page) -> Next:
        """What this one is known by."""
        known = {"etag": page.headers.get("etag"), "modified": page.headers.get("last-modified")}
        return Next({name: value for name, value in known.items() if value} or None)


@dataclass(frozen=True)
class Counted(All):
    """By offset or by number of the page, until a page is empty: a short one need not be the last."""

    param: str
    first: int
    by_rows: bool
    more: str = ""

    def ask(self, position: Position | None) -> Ask:
        """The page at this count."""
        return Ask({self.param: self._count(position)})

    def after(self, position: Position | None, page: Page) -> Next:
        """So many rows further, or one page."""
        if not page.rows or (self.more and not flag_at(page.document, self.more)):
            return Next()
        return Next({"count": self._count(position) + (len(page.rows) if self.by_rows else 1)}, more=True)

    def _count(self, position: Position | None) -> int:
        return self.first if position is None else position["count"]
