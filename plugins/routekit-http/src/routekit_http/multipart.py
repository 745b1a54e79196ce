"""Forms of several parts (RFC 7578), whose files are read while they are sent."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from secrets import token_hex
from typing import Any

from .files import read_exactly, size_of
from .values import text_of


@dataclass(frozen=True)
class Form:
    """Parts with their heads; a part is bytes or a file."""

    boundary: str
    parts: tuple[tuple[bytes, bytes | Path, int], ...]

    @property
    def type(self) -> str:
        """The content type."""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def length(self) -> int:
        """How many bytes it has."""
        return sum(len(head) + size + 2 for head, _, size in self.parts) + len(self.boundary) + 6

    async def stream(self) -> AsyncIterator[bytes]:
        """The bytes."""
        for head, part, size in self.parts:
            yield head
            if isinstance(part, bytes):
                yield part
            else:
                async for chunk in read_exactly(part, size):
                    yield chunk
            yield b"\r\n"
        yield f"--{self.boundary}--\r\n".encode()


async def parts_of(fields: Mapping[str, Any]) -> Form:
    """A form of these fields: a Path is a file with its name, bytes are a file named as the field, others are text.

    A list is several parts of one name, None is none. Raises BodyError for a file that cannot be read.
    """
    boundary = token_hex(16)
    parts: list[tuple[bytes, bytes | Path, int]] = []
    for name, value in fields.items():
        for one in value if isinstance(value, list | tuple) else (value,):  # pyright: ignore[reportUnknownVariableType]  # of any fields
            if one is not None:
                parts.append(await _part(boundary, name, one))
    return Form(boundary, tuple(parts))


async def _part(boundary: str, name: str, value: Any) -> tuple[bytes, bytes | Path, int]:
    lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_quoted(name)}"']
    if isinstance(value, Path):
        lines[1] += f'; filename="{_quoted(value.name)}"'
        lines.append(f"Content-Type: {guess_type(value.name)[0] or 'application/octet-stream'}")
        return _head(lines), value, await size_of(value)
    if isinstance(value, bytes):
        lines[1] += f'; filename="{_quoted(name)}"'
        lines.append("Content-Type: application/octet-stream")
        return _head(lines), value, len(value)
    text = text_of(value).encode()
    return _head(lines), text, len(text)


def _head(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()


def _quoted(text: str) -> str:
    """As browsers write names (HTML, 4.10.21.8).

    >>> _quoted('a "b"')
    'a %22b%22'
    """
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
