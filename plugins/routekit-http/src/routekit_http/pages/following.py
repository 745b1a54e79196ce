"""Paging by what each page says of the next one: a token, or a URL."""

from dataclasses import dataclass
from typing import Any

import httpx

from routekit import DefinitionError

from ..errors import HttpRejected
from .paging import All, Ask, Next, Page, Position
from .pointers import flag_at, found_at


@dataclass(frozen=True)
class Cursor(All):
    """By a token that each page gives for the next one. `resume` is where the last one gives that of the next poll."""

    param: str
    at: str
    more: str = ""
    resume: str = ""

    def ask(self, position: Position | None) -> Ask:
        """The page of this token."""
        return Ask({} if position is None else {self.param: position["cursor"]})

    def after(self, position: Position | None, page: Page) -> Next:
        """The page of the token that was given."""
        token = found_at(page.document, self.at)
        if token not in (None, "") and (not self.more or flag_at(page.document, self.more)):
            if position is not None and position["cursor"] == token:
                raise _circle(f"the cursor {str(token)[:80]!r}")
            return Next({"cursor": token}, more=True)
        if not self.resume:
            return Next()
        return Next({"cursor": _kept(found_at(page.document, self.resume), self.resume)})


@dataclass(frozen=True)
class NextUrl(All):
    """By the URL of the next page, in the document or in the header `Link`; it must be of the same origin.

    `resume` is where the last page gives the URL of the next poll, such as a delta link.
    """

    at: str = ""
    resume: str = ""

    def ask(self, position: Position | None) -> Ask:
        """The page at this URL."""
        return Ask(url="" if position is None else position["url"])

    def after(self, position: Position | None, page: Page) -> Next:
        """The page at the URL that was given."""
        found = found_at(page.document, self.at) if self.at else linked(page.headers.get("link", ""))
        if found not in (None, ""):
            url = self._checked(str(found), page)
            if url == page.url:
                raise _circle(f"the next page {url[:200]}")
            return Next({"url": url}, more=True)
        if not self.resume:
            return Next()
        kept = _kept(found_at(page.document, self.resume), self.resume)
        return Next({"url": self._checked(str(kept), page)})

    def _checked(self, url: str, page: Page) -> str:
        before = httpx.URL(page.url)
        found = before.join(url)
        if (found.scheme, found.host, found.port) != (before.scheme, before.host, before.port):
            hint = "pages of another origin are not read"
            raise HttpRejected(f"the next page of {before.host} is at {found.scheme}://{found.host}", hint=hint)
        return str(found)


def linked(header: str, rel: str = "next") -> str | None:
    """The URL of a relation in a `Link` header (RFC 8288), or None.

    >>> linked('<https://x/?page=2>; rel="next", <https://x/?page=9>; rel="last"')
    'https://x/?page=2'
    """
    for part in header.split("<")[1:]:
        url, closed, rest = part.partition(">")
        for parameter in rest.split(";"):
            name, _, value = parameter.strip().rstrip(",").strip().partition("=")
            if closed and name.strip().lower() == "rel" and rel in value.strip().strip('"').lower().split():
                return url.strip()
    return None


def _kept(found: Any, pointer: str) -> Any:
    if found in (None, ""):
        raise DefinitionError(f"the last page has nothing at resume={pointer}", hint="leave resume out if it has none")
    return found


def _circle(what: str) -> DefinitionError:
    return DefinitionError(f"{what} is given by its own page: it would be read for ever", hint="see the API's paging")
