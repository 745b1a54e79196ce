"""The elements of a JSON array, read one after the other: memory holds one of them and a block of the stream."""

import codecs
import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, BinaryIO

from ..errors import BodyError
from ._jsontext import BOM, parsed

_BLOCK = 1 << 17
_SPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_WORD = 16
"""An error this near to the end of what was read may only mean that a word, number or escape goes on."""


def elements(stream: BinaryIO, limit: int) -> Iterator[Any]:
    """The elements of the stream's array, or its one document if that is no array.

    Raises BodyError where the text is broken, and for an element of much more than `limit` characters.
    """
    start = b""
    while not start.removeprefix(BOM).strip() and (block := stream.read(_BLOCK)):
        start += block
    if start.removeprefix(BOM).lstrip().startswith(b"["):
        return _Array(start, stream, limit).elements()
    return iter([parsed(start + stream.read())])


class _Array:
    def __init__(self, start: bytes, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = JSONDecoder(parse_constant=_refuse)
        self._offset = 0  # bytes that were read
        self._line, self._column = 1, 1  # where the text begins
        self._row = 0
        self._text = ""
        self._at = 0
        self._add(start)

    def elements(self) -> Iterator[Any]:
        self._at = self._text.index("[") + 1
        mark = "," if self._peek() != "]" else "]"
        while mark == ",":
            self._row += 1
            yield self._element()
            mark = self._peek()
            if mark not in (",", "]"):
                raise self._broken("expected ',' or ']'", self._at)
            self._at += 1
        self._at += self._row == 0  # the bracket of an empty array
        if self._peek():
            raise self._broken("expected nothing after the array", self._at)

    def _element(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except JSONDecodeError as error:
                reason = error.msg[:1].lower() + error.msg[1:].removesuffix(" starting at")
                broken = self._broken(reason, error.pos)  # before reading on moves the text
                if not self._unfinished(error) or not self._more():
                    raise broken from None
            except (ValueError, RecursionError) as error:  # NaN, a number of too many digits, too many brackets
                raise self._broken(str(error), self._at) from None
            else:
                length = end - self._at
                if len(self._text) - end > _LONGEST_WORD or not self._more():  # a number near the end may go on
                    self._at += length
                    return value

    def _unfinished(self, error: JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _LONGEST_WORD

    def _peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def _more(self) -> bool:
        """Read on, at least as much as is held, so that a large element is not tried too often; false at the end."""
        self._drop()
        if len(self._text) > self._limit:
            raise self._broken(f"an element is longer than {self._limit} characters", 0, hint="raise max_record")
        data = self._stream.read(max(_BLOCK, len(self._text)))
        self._add(data)
        return bool(data)

    def _drop(self) -> None:
        self._line, self._column = self._place(self._at)
        self._text, self._at = self._text[self._at :], 0

    def _add(self, data: bytes) -> None:
        try:
            self._text += self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            at = self._offset - len(error.object) + len(data) + error.start
            found = f"this is not JSON text: byte 0x{error.object[error.start]:02x} at offset {at} is not UTF-8"
            raise BodyError(found) from None
        self._offset += len(data)

    def _place(self, at: int) -> tuple[int, int]:
        newlines = self._text.count("\n", 0, at)
        column = at - self._text.rfind("\n", 0, at) if newlines else self._column + at
        return self._line + newlines, column

    def _broken(self, reason: str, at: int, *, hint: str = "") -> BodyError:
        line, column = self._place(at)
        rest = self._text[at : at + 20].strip()
        found = f"found {rest!r}" if rest else "found the end of the text"
        text = f"this is not JSON: {reason} at line {line} column {column}, {found}"
        return BodyError(text, row=self._row or None, hint=hint)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
