"""How a message is shown: for people, as one line of JSON, or its body alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from ..console import one_line
from ..letter import packed
from ..message import Message

LINES = 200
"""Lines of a body that are shown to people."""


def lines_of(message: Message[Any]) -> Iterator[str]:
    """A message for people: headers by name, then the body; nothing in it can steer the terminal."""
    for name, value in message.headers.items():
        yield f"  {one_line(name)}: {one_line(_short(value))}"
    lines = text_of(message.body).splitlines()
    yield from (_kept(line) for line in lines[:LINES])
    if len(lines) > LINES:
        yield f"... {len(lines) - LINES:,} lines more; --body or --json shows all"


def json_of(message: Message[Any]) -> dict[str, Any]:
    """A message as JSON-ready data; bytes that are no text are `{"base64": ...}`."""
    headers = {name: packed(value) for name, value in message.headers.items()}
    return {"id": message.id, "headers": headers, "body": packed(_texted(message.body))}


def bytes_of(body: Any) -> bytes:
    """The body as it would stand in a file: bytes and text as they are, all else as JSON."""
    body = _read(body)
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    return body.encode(errors="surrogateescape") if isinstance(body, str) else to_json(packed(body))


def text_of(body: Any) -> str:
    """The body as a text for people."""
    body = _texted(body)
    if body is None:
        return ""
    if isinstance(body, bytes | bytearray):
        return f"({len(body):,} bytes that are no text; --body writes them)"
    return body if isinstance(body, str) else json.dumps(packed(body), ensure_ascii=False, indent=2)


def _texted(body: Any) -> Any:
    """Bytes as text, if they are."""
    body = _read(body)
    if not isinstance(body, bytes | bytearray):
        return body
    try:
        return bytes(body).decode()
    except UnicodeDecodeError:
        return body


def _read(body: Any) -> Any:
    """What is in the file, where the body is the path of one."""
    return body.read_bytes() if isinstance(body, Path) else body


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(packed(value), ensure_ascii=False)


def _kept(line: str) -> str:
    """One line for a terminal, with the blanks that it begins with."""
    blanks = len(line) - len(line.lstrip(" "))
    return " " * blanks + one_line(line[blanks:])
