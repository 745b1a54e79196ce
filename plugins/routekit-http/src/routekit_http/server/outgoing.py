"""Replies as answers: status and headers that the route has set, and its body."""

from collections.abc import AsyncIterable, Mapping
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response, StreamingResponse

from routekit import Codec, Message

from ..values import headers_of

STATUS = "http.status"
"""The header of a reply that is the status of the answer."""
PREFIX = "http.reply."
"""Headers of a reply that begin so are headers of the answer: `http.reply.location`."""


def response_of(
    reply: Message[Any] | None, json: Codec, *, status: int | None, silent: bool, content_type: str
) -> Response:
    """The answer that a reply is; none, or one that is to say nothing, has no content."""
    headers = {} if reply is None else _headers(reply.headers)
    code = _status(reply, status)
    body = None if reply is None or silent else reply.body
    if body is None or code in (204, 205, 304):
        return Response(status_code=code or 204, headers=headers)
    code = code or 200
    media = content_type or None
    if isinstance(body, Path):
        return FileResponse(body, code, headers, media)
    if isinstance(body, AsyncIterable):
        return StreamingResponse(body, code, headers, media or "application/octet-stream")  # pyright: ignore[reportUnknownArgumentType]  # of bytes or text, as the author says
    if isinstance(body, bytes | bytearray):
        return Response(bytes(body), code, headers, media or "application/octet-stream")
    if isinstance(body, str):
        return Response(body, code, headers, media or "text/plain")
    if headers or media:
        return Response(json.encode(body), code, headers, media or "application/json")
    return _Json(json.encode(body), code)


class _Json(Response):
    """A document with no other headers than its own, made in fewer steps."""

    def __init__(self, body: bytes, status: int) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]


def _status(reply: Message[Any] | None, status: int | None) -> int | None:
    given = None if reply is None else reply.headers.get(STATUS)
    return given if isinstance(given, int) and 200 <= given <= 599 else status


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    if not any(name.startswith(PREFIX) for name in given):
        return {}
    return dict(headers_of({name.removeprefix(PREFIX): given[name] for name in given if name.startswith(PREFIX)}))
