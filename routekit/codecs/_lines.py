"""Physical lines of a byte stream, decoded in blocks and taken back when a record turns out to be broken.

Only carriage returns and line feeds end a line, in any encoding. Memory holds one block and the record in hand.
"""

import codecs
from collections.abc import Iterator
from io import StringIO
from typing import Annotated, BinaryIO

from pydantic import AfterValidator

from ..errors import BodyError

BLOCK = 1 << 17


def known_encoding(name: str) -> str:
    """`name` if Python knows such a text encoding; raises ValueError.

    >>> known_encoding("latin-1")
    'latin-1'
    """
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"'{name}' is no text encoding: write utf-8, cp1252, latin-1, utf-16 ...") from None
    return name


Encoding = Annotated[str, AfterValidator(known_encoding)]
"""An option that names a text encoding."""


def reading(encoding: str) -> str:
    """The encoding to read with: a byte order mark at the start of UTF-8 is no text."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def encoded(text: str, encoding: str, *, first: bool) -> bytes:
    """Text to be appended to a file: only the start of a file has a byte order mark; raises BodyError."""
    encoder = codecs.getincrementalencoder(encoding)()
    try:
        if not first:
            encoder.encode("\n")  # the mark goes with what is thrown away
        return encoder.encode(text, final=True)
    except UnicodeEncodeError as error:
        found = f"{text[error.start]!r} cannot be written in {encoding}"
        raise BodyError(found, hint="choose encoding=utf-8" if "utf" not in encoding else "") from None


def undecodable(text: str) -> int | None:
    """Where the first byte that could not be decoded stands in the text, if there is one."""
    if text.isascii():
        return None
    return next((at for at, char in enumerate(text) if "\udc80" <= char <= "\udcff"), None)


def undecoded(text: str) -> str:
    r"""The text with its undecodable bytes spelled out.

    >>> undecoded("M\udcfcller")
    'M\\xfcller'
    """
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in text)


class Lines:
    """An iterator over blocks of whole lines; `damaged` says that the last one holds undecodable bytes.

    They stand in the text as U+DC80 to U+DCFF. Raises BodyError for a line of more than `limit` characters.
    """

    def __init__(self, stream: BinaryIO, encoding: str, limit: int) -> None:
        self.damaged = False
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(reading(encoding))("surrogateescape")
        self._limit = limit
        self._again: list[str] = []
        self._tail: list[str] = []
        self._offset = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = self._again.pop() if self._again else self._block()
        if not text:
            raise StopIteration
        self.damaged = _damaged(text)
        return text

    def push_back(self, text: str) -> None:
        """Give these whole lines again, before what follows."""
        if text:
            self._again.append(text)

    def _block(self) -> str:
        while data := self._stream.read(BLOCK):
            whole, cut = _cut(self._decoded(data))
            if whole:
                block = "".join((*self._tail, whole))
                self._tail = [cut]
                return block
            self._tail.append(cut)
            if sum(map(len, self._tail)) > self._limit:
                raise BodyError(f"a line is longer than {self._limit} characters", hint="raise max_record, or fix it")
        block = "".join((*self._tail, self._decoded(b"")))
        self._tail = []
        return block

    def _decoded(self, data: bytes) -> str:
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:  # what surrogateescape cannot stand for, such as half a UTF-16 character
            found = f"byte 0x{error.object[error.start]:02x} is not {self._encoding}"
            raise BodyError(f"{found}, within {BLOCK} bytes of offset {self._offset}") from None
        self._offset += len(data)
        return text


def split_lines(text: str) -> Iterator[str]:
    r"""The lines of a text with their ends, as they are; only CR and LF end a line.

    >>> list(split_lines("a\r\nb\u2028c"))
    ['a\r\n', 'b\u2028c']
    """
    return StringIO(text, newline="")


def _cut(text: str) -> tuple[str, str]:
    """The text up to its last line end, and the rest; a final CR may be half of a CR LF."""
    searched = len(text) - text.endswith("\r")
    end = max(text.rfind("\n", 0, searched), text.rfind("\r", 0, searched)) + 1
    return text[:end], text[end:]


def _damaged(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
