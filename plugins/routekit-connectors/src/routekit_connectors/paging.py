"""How an API pages: what to ask for at a position, and which position follows. A position is a text that can be kept.

Laws that tests hold. On a source that stands still, every row comes exactly once. On one that moves, no row that exists
throughout is missed with `Cursor`, `Linked`, `NextUrl` and `Keyset`, as far as the API keeps its word. With `Offset`,
`Numbered` and `Ranges` it may be: rows that go away before the position make others slip past it, and rows that are
added make some come twice. Who reads by these looks for what is missing more than once.

A position that comes again is an error and no endless loop, whatever it is; so are more pages than `LIMIT`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from urllib.parse import urljoin, urlsplit

from routekit import Unavailable
from routekit_http import found_at, linked

from .answers import Answer

Position: TypeAlias = Any
"""Where to read, as JSON; None is the beginning."""

LIMIT = 100_000
"""Pages that are read at most."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for beside the fixed query: parameters, headers, or another URL altogether."""

    query: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""


class Paging(Protocol):
    """One way to page."""

    def ask(self, position: Position) -> Ask:
        """What to ask for at a position."""
        ...

    def fresh(self, position: Position, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows of a page that have not come before it."""
        ...

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """The position that follows, None if this was the last page."""
        ...


class PagingBroken(Unavailable):
    """The API pages in a way that does not end, or that leads elsewhere: what was read is not all."""


class _All:
    def fresh(self, position: Position, rows: Sequence[Any]) -> Sequence[Any]:
        """All of them."""
        return rows


@dataclass(frozen=True)
class Whole(_All):
    """All there is, on one page."""

    def ask(self, position: Position) -> Ask:
        """Nothing more."""
        return Ask()

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """Nothing."""
        return None


@dataclass(frozen=True)
class Offset(_All):
    """By how many rows are left out, until a page is empty or `total` is reached: a short one need not be the last."""

    param: str = "offset"
    size_param: str = "limit"
    size: int = 100
    total: str = ""
    """A place that says how many rows there are in all, if there is one."""

    def ask(self, position: Position) -> Ask:
        """Rows from this number on."""
        return Ask({self.param: position or 0, self.size_param: self.size})

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """So many rows further."""
        behind = (position or 0) + len(rows)
        total = found_at(answer.document, self.total) if self.total else None
        return None if not rows or (isinstance(total, int) and behind >= total) else behind


@dataclass(frozen=True)
class Numbered(_All):
    """By the number of the page, until one is empty or `pages` is reached."""

    param: str = "page"
    size_param: str = ""
    size: int = 100
    first: int = 1
    pages: str = ""
    """A place that says how many pages there are, if there is one."""

    def ask(self, position: Position) -> Ask:
        """The page of this number."""
        size = {self.size_param: self.size} if self.size_param else {}
        return Ask({self.param: self.first if position is None else position, **size})

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """The next one."""
        number = self.first if position is None else position
        pages = found_at(answer.document, self.pages) if self.pages else None
        last = isinstance(pages, int) and number - self.first + 1 >= pages
        return None if not rows or last else number + 1


@dataclass(frozen=True)
class Cursor(_All):
    """By a token that each page gives for the next one."""

    param: str
    at: str
    more: str = ""
    """A place that says whether there is more, where the last page has a token as well."""
    size_param: str = ""
    size: int = 100

    def ask(self, position: Position) -> Ask:
        """The page of this token."""
        size = {self.size_param: self.size} if self.size_param else {}
        return Ask({**({} if position is None else {self.param: position}), **size})

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """The page of the token that was given."""
        token = found_at(answer.document, self.at)
        ended = bool(self.more) and not found_at(answer.document, self.more)
        return None if token in (None, "") or ended else token


@dataclass(frozen=True)
class NextUrl(_All):
    """By the URL of the next page, somewhere in the document; it is of the API's own origin, or refused."""

    at: str
    size_param: str = ""
    size: int = 100

    def ask(self, position: Position) -> Ask:
        """The page at this URL."""
        if position is not None:
            return Ask(url=position)
        return Ask({self.size_param: self.size} if self.size_param else {})

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """The page at the URL that was given."""
        return _same_origin(answer.url, found_at(answer.document, self.at))


@dataclass(frozen=True)
class Linked(NextUrl):
    """By the header `Link` (RFC 8288)."""

    at: str = "next"
    """The relation."""

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """The page that the header names."""
        return _same_origin(answer.url, linked(answer.headers.get("link", ""), self.at))


@dataclass(frozen=True)
class Ranges(_All):
    """By the headers `Range` and `Content-Range` (RFC 9110, 14), in units of the API's own."""

    unit: str = "records"
    size: int = 100
    last: bool = True
    """Whether the second number is that of the last row, as RFC 9110 has it, or the one behind it."""

    def ask(self, position: Position) -> Ask:
        """Rows from this number on."""
        first = position or 0
        return Ask(headers={"range": f"{self.unit}={first}-{first + self.size - self.last}"})

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """Behind the last one, unless that is all."""
        behind = (position or 0) + len(rows)
        total = re.search(r"/(\d+)\s*$", answer.headers.get("content-range", ""))
        return None if not rows or (total is not None and behind >= int(total[1])) else behind


@dataclass(frozen=True)
class Keyset:
    """By the key of the last row, such as its time of change: rows at or after it, in the order of that key.

    Rows at the key itself that have come already are left out. If more rows than a page holds have one key, it goes on
    by `offset_param` inside of that key; without such a parameter that is an error.
    """

    param: str
    key: str
    """Where a row has its key."""
    id: str = "id"
    size_param: str = "limit"
    size: int = 100
    offset_param: str = ""

    def ask(self, position: Position) -> Ask:
        """The rows from this key on."""
        query: dict[str, Any] = {self.size_param: self.size}
        if position is not None:
            query[self.param] = position["key"]
            if position["skip"]:
                query[self.offset_param] = position["skip"]
        return Ask(query)

    def fresh(self, position: Position, rows: Sequence[Any]) -> Sequence[Any]:
        """Those that are not known from the page before."""
        seen = set[str]() if position is None else set[str](position["seen"])
        return [row for row in rows if str(found_at(row, self.id)) not in seen]

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """From the key of the last row on."""
        if len(rows) < self.size:
            return None
        key = found_at(rows[-1], self.key)
        seen = [str(found_at(row, self.id)) for row in rows if found_at(row, self.key) == key]
        if position is None or position["key"] != key:
            return {"key": key, "seen": seen, "skip": 0}
        if not self.offset_param:
            if not self.fresh(position, rows):
                found = f"a whole page of {len(rows)} rows has the key {key!r}, and has come already"
                raise PagingBroken(found, hint="ask for larger pages")
            return {"key": key, "seen": sorted({*position["seen"], *seen}), "skip": 0}
        seen = sorted({*position["seen"], *seen})
        return {"key": key, "seen": seen, "skip": position["skip"] + len(rows)}


@dataclass(frozen=True)
class Walk:
    """A walk over all pages, which keeps its place in the text that it gives for the next one."""

    paging: Paging
    limit: int = LIMIT

    def at(self, page: str | None) -> "Step":
        """The step that this text stands for; None is the first."""
        return Step(self, **json.loads(page)) if page is not None else Step(self)


@dataclass(frozen=True)
class Step:
    """One page of a walk. A cycle is found by one position that is remembered, at each power of two (Brent)."""

    walk: Walk
    position: Position = None
    number: int = 1
    known: Position = None

    @property
    def ask(self) -> Ask:
        """What to ask for."""
        return self.walk.paging.ask(self.position)

    def fresh(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows that are new."""
        return self.walk.paging.fresh(self.position, rows)

    def after(self, answer: Answer, rows: Sequence[Any]) -> str | None:
        """The text for the next page, None if there is none; raises PagingBroken if it would never end."""
        position = self.walk.paging.after(self.position, answer, rows)
        if position is None:
            return None
        if position in (self.position, self.known):
            raise PagingBroken(f"the page at {str(position)[:200]!r} comes again: it would be read for ever")
        if self.number >= self.walk.limit:
            raise PagingBroken(f"there are more than {self.walk.limit} pages", hint="raise the limit, or page larger")
        known = self.position if self.number & (self.number - 1) == 0 else self.known
        return json.dumps({"position": position, "number": self.number + 1, "known": known})


def _same_origin(asked: str, found: Any) -> str | None:
    if found in (None, ""):
        return None
    url = urljoin(asked, str(found))
    before, after = urlsplit(asked), urlsplit(url)
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        hint = "pages of another origin are not read"
        raise PagingBroken(f"the next page of {before.netloc} is at {after.scheme}://{after.netloc}", hint=hint)
    return url
