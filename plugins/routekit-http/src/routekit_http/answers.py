"""What became of a request: its answer, read within a limit, or the error that its status means."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
import httpx

from .calls import Call
from .errors import HttpConflict, HttpRejected, HttpUnavailable
from .files import save
from .statuses import Ranges, within
from .waits import retry_after

_EXCERPT = 300
_CONFLICTS = (409, 412)
_NO_CONTENT = (204, 205, 304)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer: `result=full` gives it as the body. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Reading:
    """How answers are read: which statuses are fine, which mean that there is nothing, which that it may get better."""

    ok: Ranges
    absent: Ranges
    unavailable: Ranges
    most: int

    async def read(self, call: Call, response: httpx.Response, now: float, file: Path | None) -> HttpAnswer | None:
        """The answer, or None if there is nothing; raises what its status means. A `file` takes the body instead."""
        status = response.status_code
        if within(status, self.absent):
            return None
        if not within(status, self.ok):
            raise await self._failure(call, response, now)
        body = b""
        if file is not None:
            async with aclosing(self._chunks(call, response)) as chunks:
                await save(chunks, file)
        elif status not in _NO_CONTENT:
            async with aclosing(self._chunks(call, response)) as chunks:
                body = b"".join([chunk async for chunk in chunks])
        return HttpAnswer(status, {name.lower(): value for name, value in response.headers.items()}, body)

    async def _chunks(self, call: Call, response: httpx.Response) -> AsyncGenerator[bytes]:
        size = 0
        async with aclosing(chunks_of(response)) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > self.most:
                    found = f"{call}: the answer is longer than {self.most} bytes"
                    raise HttpRejected(found, status=response.status_code, hint="raise max_answer")
                yield chunk

    async def _failure(self, call: Call, response: httpx.Response, now: float) -> Exception:
        status = response.status_code
        text = await _excerpt(response)
        found = f"{call} was answered {status} {_phrase(status)}".rstrip() + (f": {text}" if text else "")
        if within(status, self.unavailable):
            return HttpUnavailable(found, status=status, text=text, retry_after=retry_after(response.headers, now))
        kind = HttpConflict if status in _CONFLICTS else HttpRejected
        return kind(found, status=status, text=text)


async def chunks_of(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body in chunks; who stops early ends the connection, and with it the generators that httpx nests."""
    chunks = response.aiter_bytes()
    try:
        async for chunk in chunks:
            yield chunk
    except GeneratorExit:
        with anyio.CancelScope(shield=True):
            await response.aclose()
            with suppress(httpx.HTTPError, httpx.StreamError):
                async for _ in chunks:
                    pass
        raise


async def _excerpt(response: httpx.Response) -> str:
    """The beginning of a text that explains an error, on one line."""
    type_ = response.headers.get("content-type", "")
    if not any(word in type_ for word in ("json", "text", "xml")):
        return ""
    found = b""
    async with aclosing(chunks_of(response)) as chunks:
        async for chunk in chunks:
            found += chunk
            if len(found) >= _EXCERPT * 4:
                break
    text = " ".join(
        "".join(letter if letter.isprintable() else " " for letter in found.decode(errors="replace")).split()
    )
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}..."


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def selected(answer: HttpAnswer, keep: tuple[str, ...]) -> dict[str, Any]:
    """The headers that a message gets from an answer: `http.status`, and those that were asked for."""
    found = {f"http.{name}": answer.headers[name] for name in keep if name in answer.headers}
    return {"http.status": answer.status, **found}
