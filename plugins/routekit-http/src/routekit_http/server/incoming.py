"""Requests as messages: their bodies read within bounds, their parameters beside them."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from starlette.requests import Request

from routekit import BodyError, Rejected

from .forms import form_of, query_of
from .problems import Refusal

BodyKind: TypeAlias = Literal["auto", "raw", "form", "query", "merged", "stream"]
_BODILESS = ("GET", "HEAD", "DELETE", "OPTIONS")


def whole(request: Request) -> bool:
    """Whether all of a request is here already, as far as uvicorn tells."""
    return not getattr(getattr(request.receive, "__self__", None), "more_body", True)


class Stream:
    """The content of a request as it comes. It can be read once: a retry finds nothing left, and fails."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._begun = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._begun:
            raise Rejected("the content of this request has been read already", hint="read it once, or use body=raw")
        self._begun = True
        async for chunk in self._chunks:
            yield chunk

    def __deepcopy__(self, _: object) -> "Stream":
        """Itself: there is only one."""
        return self


@dataclass(frozen=True, slots=True)
class Incoming:
    """How requests are read: `most` bytes."""

    kind: BodyKind
    most: int

    async def raw(self, request: Request) -> bytes:
        """The whole content, once it has been checked; raises Refusal if it is too long."""
        event = await request.receive()
        if event.get("more_body", False) or event["type"] != "http.request":
            return b"".join([chunk async for chunk in self._rest(request, event)])
        if len(event["body"]) > self.most:
            raise Refusal(413, f"more than {self.most} bytes", connection="close")
        return event["body"]

    def check(self, heads: Mapping[bytes, bytes]) -> None:
        """Refuse what can be refused before it is read."""
        length = heads.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.most:
            raise Refusal(413, f"more than {self.most} bytes", connection="close")
        if heads.get(b"content-encoding", b"identity") != b"identity":
            raise Refusal(415, "the content is encoded", accept_encoding="identity")

    async def stream(self, request: Request) -> AsyncIterator[bytes]:
        """The content as it comes; raises Refusal if it is too long."""
        async for chunk in self._rest(request, await request.receive()):
            yield chunk

    async def _rest(self, request: Request, event: Any) -> AsyncIterator[bytes]:
        size = 0
        while event["type"] == "http.request":
            chunk: bytes = event.get("body", b"")
            size += len(chunk)
            if size > self.most:
                raise Refusal(413, f"more than {self.most} bytes", connection="close")
            if chunk:
                yield chunk
            if not event.get("more_body", False):
                return
            event = await request.receive()
        raise Refusal(400, "the content ended early")

    async def body(self, request: Request, raw: bytes, params: Mapping[str, str]) -> Any:
        """The message's body; raises BodyError for content that cannot be read that way."""
        kind = self.kind
        if kind == "auto":
            kind = "query" if request.method in _BODILESS else "raw"
        if kind == "query":
            return {**query_of(request), **params}
        if kind == "form":
            return await form_of(request.headers, raw)
        if kind == "merged":
            return {**_object(raw), **query_of(request), **params}
        return raw


def _object(raw: bytes) -> Mapping[str, Any]:
    if not raw:
        return {}
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BodyError(f"invalid JSON: {error}") from None
    if not isinstance(found, dict):
        raise BodyError("a JSON object is expected")
    return cast("Mapping[str, Any]", found)
