"""Plain text: one text, or a stream of lines."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, BinaryIO, ClassVar

from pydantic import Field

from ..codec import Codec, Record
from ..errors import BodyError
from ..hookspecs import hookimpl
from ..units import Bytes
from ._lines import Encoding, Lines, encoded, reading, split_lines, undecodable, undecoded


class Text(Codec):
    """Reads and writes text; its records are lines without their ends."""

    name: ClassVar[str] = "text"
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".log")

    encoding: Encoding = Field(default="utf-8", description="a byte order mark is skipped; `utf-8-sig` also writes one")
    max_record: Bytes = Field(default=1 << 20, gt=0, description="a longer line is an error")

    def decode(self, data: bytes) -> str:
        """The whole text, line ends as they are; raises BodyError naming the byte that is not in the encoding."""
        try:
            return data.decode(reading(self.encoding))
        except UnicodeDecodeError as error:
            found = f"byte 0x{data[error.start]:02x} at offset {error.start} is not {self.encoding}"
            raise BodyError(found, hint="give encoding=...") from None

    def encode(self, body: Any) -> bytes:
        """A text as it is."""
        return encoded(_checked(body), self.encoding, first=True)

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """Line by line; a line that cannot be decoded is a record with `error`."""
        blocks = Lines(stream, self.encoding, self.max_record)
        for number, line in enumerate(chain.from_iterable(map(split_lines, blocks)), 1):
            yield self._record(number, line.rstrip("\r\n"))

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        """Each text on its own line."""
        return encoded("".join(f"{_checked(body)}\n" for body in bodies), self.encoding, first=first)

    def _record(self, number: int, line: str) -> Record:
        at = undecodable(line)
        if at is None:
            return Record(number, line)
        found = f"byte 0x{ord(line[at]) - 0xDC00:02x} at character {at + 1} of the line is not {self.encoding}"
        return Record(number, undecoded(line), found)


def _checked(body: object) -> str:
    if not isinstance(body, str):
        raise BodyError(f"expected a text, found a {type(body).__name__}", hint="transform it to a text first")
    return body


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Text]
