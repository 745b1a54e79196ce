"""What is sent: a body as JSON, as a form, as several parts, or as it is."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import urlencode

from pydantic import BaseModel

from routekit import BodyError, Codec

from .files import CHUNK, read_exactly, size_of
from .multipart import parts_of
from .values import pairs_of

Kind: TypeAlias = Literal["auto", "json", "form", "multipart", "raw", "none"]

_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv", "text": "text/plain"}
_LARGE = 1 << 20
_BODILESS = ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE")


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a request, or what gives them; `again` tells whether they can be given twice."""

    data: "bytes | Callable[[], AsyncIterator[bytes]]"
    type: str = ""
    length: int | None = None
    again: bool = True

    @property
    def size(self) -> int | None:
        """How many bytes a stream has, if it is known."""
        return len(self.data) if isinstance(self.data, bytes) and len(self.data) > _LARGE else self.length

    def stream(self) -> bytes | AsyncIterator[bytes]:
        """The bytes for one try; many of them in pieces, so that others get their turn."""
        if not isinstance(self.data, bytes):
            return self.data()
        return _pieces(self.data) if len(self.data) > _LARGE else self.data


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


NOTHING = Content(b"")


async def content_of(body: Any, kind: Kind, method: str, codec: Codec | None, json: Codec) -> Content:
    """The content of a body.

    `auto` sends bytes, text, files and streams as they are and all else as JSON, and nothing with methods that usually
    have no content. Raises BodyError for a body that cannot be sent that way.
    """
    if kind == "none" or body is None or (kind == "auto" and method in _BODILESS):
        return NOTHING
    if kind == "form":
        return Content(urlencode(pairs_of(fields_of(body, kind))).encode(), "application/x-www-form-urlencoded")
    if kind == "multipart":
        return await _multipart(fields_of(body, kind))
    if codec is not None and not isinstance(body, bytes | bytearray | Path | AsyncIterable):
        return Content(codec.encode(body), _TYPES.get(codec.name, "application/octet-stream"))
    if kind == "json" and not isinstance(body, bytes | bytearray):
        return Content(json.encode(body), _TYPES["json"])
    return await _raw(body, "application/json" if kind == "json" else "", kind, json)


async def _raw(body: Any, type: str, kind: Kind, json: Codec) -> Content:
    if isinstance(body, bytes | bytearray):
        return Content(bytes(body), type or "application/octet-stream")
    if isinstance(body, str):
        return Content(body.encode(), "text/plain; charset=utf-8")
    if isinstance(body, Path):
        size = await size_of(body)
        return Content(lambda: read_exactly(body, size), "application/octet-stream", size)
    if isinstance(body, AsyncIterable):
        chunks = cast("AsyncIterable[bytes]", body)
        return Content(lambda: aiter(chunks), "application/octet-stream", again=False)
    if kind == "raw":
        hint = "content=raw sends bytes, text, a Path or an async iterable of bytes"
        raise BodyError(f"a {type_name(body)} cannot be sent as it is", hint=hint)
    return Content(json.encode(body), _TYPES["json"])


def fields_of(body: Any, kind: str) -> Mapping[str, Any]:
    """The fields of a body; raises BodyError for one that has none."""
    if isinstance(body, Mapping):
        return cast("Mapping[str, Any]", body)
    if isinstance(body, BaseModel):
        return body.model_dump()
    if is_dataclass(body) and not isinstance(body, type):
        return asdict(body)
    raise BodyError(
        f"a {type_name(body)} has no fields", hint=f"content={kind} sends a mapping, a model or a dataclass"
    )


async def _multipart(fields: Mapping[str, Any]) -> Content:
    form = await parts_of(fields)
    return Content(form.stream, form.type, form.length)


def type_name(body: object) -> str:
    """The class of a body, for errors."""
    return type(body).__name__
