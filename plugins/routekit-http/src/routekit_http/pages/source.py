"""The sources `http:NAME/path` and `https://host/path`: rows of an API, page by page, again and again."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from routekit import About, Bytes, Capabilities, Consumer, Delivery, PathField, Runtime, Seconds

from ..about import POLL
from ..connection import connection_of
from ..probing import found_at
from ..settings import ConnectionSettings, connection_settings
from ..targets import placed, target_of
from .feed import Feed
from .fetching import Fetching
from .following import Cursor, NextUrl
from .keyset import Keyset
from .paging import Counted, Paging, Whole

_PARAMS = {"offset": "offset", "page": "page", "cursor": "cursor"}


class HttpPoll(Consumer):
    """Delivers the rows of an API, page by page, then looks again after `poll` seconds.

    The position is kept in the store under `name`, and moves only over pages whose rows are all done, and all those
    before them: after a crash, that page and what is behind it is delivered again. A refused row comes again.
    A 410 for an old position begins anew. By offset or page number, rows may be missed that move while they are read.
    """

    scheme = "http"
    singleton: ClassVar[bool] = True
    capabilities: ClassVar[Capabilities] = Capabilities(replayable=True, ordered=True)
    about: ClassVar[About] = POLL

    target: PathField = Field(description="NAME/path by a connection of the settings, or //host/path")
    name: str = Field(default="", description="the position is kept under this name; needed")
    poll: Seconds = Field(
        default=60.0, gt=0, description="seconds between two looks, and before a refused row comes again"
    )
    paging: Literal["none", "offset", "page", "cursor", "link", "next", "keyset"] = Field(
        default="none",
        description="how the API pages: by rows or pages passed, by a token, by the header Link, by a "
        "URL in the document, or by the values of the last row",
    )
    items: str = Field(
        default="", description="where in the document the rows are, data/results; unset: it is the list"
    )
    id: str = Field(default="id", description="where in a row its id is")
    param: str = Field(default="", description="the parameter for offset, page or cursor; else it has that name")
    first: int | None = Field(default=None, ge=0, description="the first offset or page; else 0 or 1")
    size: int | None = Field(default=None, ge=1, description="rows on a page, sent as `size_param`; needed with keyset")
    size_param: str = Field(default="limit", description="the parameter for the size of a page")
    at: str = Field(default="", description="where the next token or URL is, paging/next/after")
    more: str = Field(
        default="", description="where it says whether there is more; !end_of_stream if it says the contrary"
    )
    resume: str = Field(default="", description="where the last page says from where the next poll goes on; else anew")
    keys: str = Field(default="", description="keyset: comma list of parameter:place, updated_since:updated_at")
    query: Mapping[str, Any] | None = Field(default=None, description="query parameters, query.state=open")
    headers: Mapping[str, Any] | None = Field(default=None, description="headers of the requests")
    method: Literal["get", "post"] = Field(default="get", description="post sends parameters in a JSON body")
    body: str = Field(default="", description="with post: the JSON object that they are added to")
    timeout: Seconds | None = Field(default=None, gt=0, description="seconds for one page; else the connection's 30")
    max_answer: Bytes | None = Field(default=None, gt=0, description="a longer page is refused; else 16MB")
    max_pages: int = Field(default=10_000, ge=1, description="more pages in one go are an error")

    @field_validator("body")
    @classmethod
    def _is_an_object(cls, body: str) -> str:
        if body and not isinstance(json.loads(body), dict):
            raise ValueError("write a JSON object")
        return body

    @model_validator(mode="after")
    def _fits(self) -> "HttpPoll":
        target_of(self.scheme, self.target)
        if self.target.startswith(("//0.0.0.0", "//[::]")):
            raise ValueError(f"to serve, write {self.scheme}:{self.target.removeprefix('//')}, without slashes")
        _need(self.name, "name=... is missing: the position is kept under it")
        _need(self.paging not in ("cursor", "next") or self.at, f"paging={self.paging} needs at=...")
        _need(self.paging != "keyset" or (self.keys and self.size), "paging=keyset needs keys=... and size=...")
        _need(self.method == "post" or not self.body, "body= goes with method=post")
        self.pager()
        return self

    async def probe(self, runtime: Runtime) -> str:
        """What answers at the beginning of the connection, asked with HEAD."""
        return await found_at(runtime, target_of(self.scheme, self.target))

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """The rows; see `Consumer.consume`."""
        target = target_of(self.scheme, self.target)
        if target.connection:
            settings = connection_settings(runtime, target.connection)
        else:
            settings = ConnectionSettings(url=target.origin)
        connection, guarded = await connection_of(runtime, target.connection or target.origin, settings)
        fetching = Fetching(self, connection, guarded, placed(target, settings.url, None))
        marks = runtime.store.marks(f"http-poll:{self.name}")
        feed = Feed(
            self.name, self.paging, self.pager(), fetching.fetch, marks, runtime, self.id, self.poll, self.max_pages
        )
        figures = {"requests_total": lambda: connection.requests, "pages": lambda: len(feed)}
        with runtime.metered(self, figures):
            async with aclosing(feed.deliveries()) as deliveries:
                async for delivery in deliveries:
                    yield delivery

    def pager(self) -> Paging:
        """The way to page; raises ValueError for what cannot be."""
        param = self.param or _PARAMS.get(self.paging, "")
        if self.paging in ("offset", "page"):
            by_rows = self.paging == "offset"
            return Counted(param, self.first if self.first is not None else int(not by_rows), by_rows, self.more)
        if self.paging == "cursor":
            return Cursor(param, self.at, self.more, self.resume)
        if self.paging in ("link", "next"):
            return NextUrl(self.at if self.paging == "next" else "", self.resume)
        return Keyset(_keys(self.keys), self.id, self.size or 1) if self.paging == "keyset" else Whole()


class HttpsPoll(HttpPoll):
    """As `http:`, of a whole URL."""

    scheme = "https"


def _keys(text: str) -> tuple[tuple[str, str], ...]:
    """What `keys=` says.

    >>> _keys("since:updated_at, after:id")
    (('since', 'updated_at'), ('after', 'id'))
    """
    found: list[tuple[str, str]] = []
    for pair in filter(None, (pair.strip() for pair in text.split(","))):
        param, colon, place = pair.partition(":")
        if not colon or not param or not place:
            raise ValueError(f"keys: '{pair}' names nothing; write keys=parameter:place")
        found.append((param.strip(), place.strip()))
    return tuple(found)


def _need(given: object, reason: str) -> None:
    if not given:
        raise ValueError(reason)
