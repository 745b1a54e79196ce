"""Parameters and forms as plain data: what is given more than once is a list."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from routekit import BodyError

from .problems import Refusal

_URLENCODED = "application/x-www-form-urlencoded"
_FIELDS = 1000
"""Fields of a form, or parameters, at most."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    name: str
    type: str
    body: bytes


def query_of(request: Request) -> dict[str, Any]:
    """The query parameters; one that is given more than once is a list."""
    text = request.scope["query_string"].decode("latin-1")
    return _gathered(_pairs(text)) if text else {}


async def form_of(headers: Headers, raw: bytes) -> dict[str, Any]:
    """The fields of a form; a file is an Upload, what is given more than once a list."""
    type_ = headers.get("content-type", "").partition(";")[0].strip().lower()
    if type_ == _URLENCODED:
        return _gathered(_pairs(raw.decode("utf-8", "replace")))
    if type_ != "multipart/form-data":
        raise Refusal(415, f"a form is expected, found '{type_[:80]}'")

    async def stream() -> AsyncIterator[bytes]:
        yield raw

    try:
        parser = MultiPartParser(
            headers,
            stream(),  # type: ignore[arg-type]
            max_files=_FIELDS,
            max_fields=_FIELDS,
            max_part_size=len(raw) + 1,
        )
        form = await parser.parse()
    except (MultiPartException, KeyError, AssertionError) as error:
        raise BodyError(f"this is no form of several parts: {error}") from None
    try:
        return _gathered([(name, await _value(value)) for name, value in form.multi_items()])
    finally:
        await form.close()


async def _value(value: str | UploadFile) -> str | Upload:
    if isinstance(value, str):
        return value
    return Upload(value.filename or "", value.content_type or "application/octet-stream", await value.read())


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise Refusal(400, f"more than {_FIELDS} parameters") from None


def _gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found
