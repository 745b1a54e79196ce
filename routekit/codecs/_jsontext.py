"""JSON text, read and written with errors that name the place: what the JSON formats share."""

import re
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from ..errors import BodyError

BOM = b"\xef\xbb\xbf"
_PLACE = re.compile(r"(.*) at line (\d+) column (\d+)", re.DOTALL)


def parsed(data: bytes, *, row: int | None = None) -> Any:
    """The data of one JSON text; raises BodyError that names the line, the column and what was found there."""
    data = data.removeprefix(BOM)
    if not data.strip():
        raise BodyError("the text is empty: expected JSON", row=row, hint="an empty document is written {} or []")
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise BodyError(_reason(data, str(error)), row=row) from None


def written(body: object, *, indent: int | None = None) -> bytes:
    """A body as JSON text: models, dataclasses, times, decimals and plain data; raises BodyError."""
    try:
        data = to_json(body, indent=indent)
    except (PydanticSerializationError, RecursionError) as error:
        raise BodyError(f"a {type(body).__name__} cannot be written as JSON: {error}") from None
    if b"NaN" in data or b"Infinity" in data:  # perhaps within a string: only a parser can tell
        _refuse_constants(data)
    return data


def _refuse_constants(data: bytes) -> None:
    try:
        from_json(data, allow_inf_nan=False)
    except ValueError:
        hint = "JSON has no such numbers: use null or a text"
        raise BodyError("the body holds NaN or an infinite number", hint=hint) from None


def _reason(data: bytes, error: str) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as undecodable:
        at = undecodable.start
        return f"this is not JSON text: byte 0x{data[at]:02x} at offset {at} is not UTF-8"
    place = _PLACE.fullmatch(error)
    if place is None:
        return f"this is not JSON: {error}"
    line, byte = int(place[2]), int(place[3])
    text = (data.split(b"\n")[line - 1 : line] or [b""])[0]
    column = len(text[: max(byte - 1, 0)].decode(errors="ignore")) + 1
    rest = text[max(byte - 1, 0) :].decode(errors="ignore").strip()
    if error.startswith("EOF"):
        return f"this is not JSON: {place[1]} at line {line} column {column}, found the end of the text"
    found = f"found {rest[:20]!r}" if rest else "found the end of the line"
    return f"this is not JSON: {place[1]} at line {line} column {column}, {found}"
