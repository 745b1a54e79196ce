"""Pages as they are asked for, over a connection."""

import json
from collections.abc import Mapping
from typing import Any, Protocol, cast

import httpx

from routekit import Unavailable

from ..answers import HttpAnswer, Reading
from ..calls import Call
from ..connection import Connection, Guarded
from ..content import Content
from ..errors import HttpRejected, HttpUnavailable
from ..statuses import Ranges
from ..values import headers_of, pairs_of
from .feed import Gone
from .paging import Ask, Page
from .pointers import found_at

_BUSY: Ranges = ((401, 401), (407, 408), (421, 421), (423, 425), (429, 429), (500, 599))


class Asking(Protocol):
    """What of a poll's options is asked for on every page."""

    @property
    def items(self) -> str: ...
    @property
    def size(self) -> int | None: ...
    @property
    def size_param(self) -> str: ...
    @property
    def query(self) -> Mapping[str, Any] | None: ...
    @property
    def headers(self) -> Mapping[str, Any] | None: ...
    @property
    def method(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def timeout(self) -> float | None: ...
    @property
    def max_answer(self) -> int | None: ...


class Fetching:
    """Asks for pages."""

    def __init__(self, poll: Asking, connection: Connection, guarded: Guarded, url: str) -> None:
        self._poll = poll
        self._connection = connection
        self._guarded = guarded
        self._url = url
        most = poll.max_answer or connection.settings.max_answer
        self._reading = Reading(((200, 299), (304, 304), (410, 410)), (), _BUSY, most)

    async def fetch(self, ask: Ask) -> Page | None:
        """A page; an API that refuses to give one is not available, since no row is to blame."""
        call = self._call(ask)

        async def read(response: Any) -> HttpAnswer | None:
            return await self._reading.read(call, response, self._connection.now(), None)

        try:
            answer = await self._connection.exchange(call, self._guarded, read)
        except HttpRejected as error:
            raise Unavailable(error.message, hint=error.hint) from error
        if answer is None or answer.status == 304:
            return None
        if answer.status == 410:
            raise Gone
        document = _document(answer, call)
        return Page(self._asked(call), document, answer.headers, _rows(document, self._poll.items, call))

    def _call(self, ask: Ask) -> Call:
        poll = self._poll
        params = {**(poll.query or {}), **({poll.size_param: poll.size} if poll.size else {}), **ask.params}
        headers = tuple(headers_of({"accept": "application/json", **(poll.headers or {}), **ask.headers}))
        if ask.url:
            return Call("GET", ask.url, headers=headers, timeout=poll.timeout)
        if poll.method == "get":
            return Call("GET", self._url, tuple(pairs_of(params)), headers, timeout=poll.timeout)
        content = Content(json.dumps({**json.loads(poll.body or "{}"), **params}).encode(), "application/json")
        return Call("POST", self._url, (), headers, content, poll.timeout)

    def _asked(self, call: Call) -> str:
        return str(httpx.URL(call.url).copy_merge_params(list(call.query))) if call.query else call.url


def _document(answer: HttpAnswer, call: Call) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        raise HttpUnavailable(f"{call}: the answer is no JSON: {answer.text[:100]!r}", status=answer.status) from None


def _rows(document: Any, items: str, call: Call) -> list[Any]:
    found = found_at(document, items)
    if found is None and items:
        raise HttpUnavailable(f"{call}: the answer has nothing at items={items}", hint="see the API's answers")
    if isinstance(found, list):
        return cast("list[Any]", found)
    return [found]
