"""JSON Lines: one JSON value on each line, so that a broken line costs only itself."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, ClassVar, cast

from pydantic import Field

from ..codec import Codec, Record
from ..errors import BodyError
from ..hookspecs import hookimpl
from ..units import Bytes
from ._jsontext import BOM, parsed, written


class JsonLines(Codec):
    """Reads and writes one JSON value per line, in UTF-8; blank lines are skipped and not counted."""

    name: ClassVar[str] = "jsonl"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    max_record: Bytes = Field(default=16 << 20, gt=0, description="a line longer than this is a broken record")

    def decode(self, data: bytes) -> Any:
        """The list of all values; raises BodyError for the first line that is broken."""
        return [parsed(line, row=row) for row, line in enumerate(_filled(data.split(b"\n")), 1)]

    def encode(self, body: Any) -> bytes:
        """A list or other iterable as one line for each element, anything else as one line."""
        single = isinstance(body, str | bytes | bytearray | Mapping) or not isinstance(body, Sequence | Iterator)
        return self.lines([body] if single else cast("Iterable[Any]", body), first=True)

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """Line by line; a broken line is a record with `error` and the line as its body."""
        for number, line in enumerate(_filled(_lines(stream, self.max_record)), 1):
            if len(line) > self.max_record:
                yield Record(number, _text(line[:1000]), f"the line is longer than {self.max_record} bytes")
            else:
                yield _record(number, line)

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        """Each body on its own line."""
        return b"".join(written(body) + b"\n" for body in bodies)


def _record(number: int, line: bytes) -> Record:
    try:
        return Record(number, parsed(line))
    except BodyError as error:
        return Record(number, _text(line), str(error))


def _lines(stream: BinaryIO, limit: int) -> Iterator[bytes]:
    """The lines without their ends; of one that is too long only the head, which is over the limit."""
    while line := stream.readline(limit + 2):
        end = line
        while not end.endswith(b"\n") and len(end) == limit + 2:
            end = stream.readline(limit + 2)
        yield line.rstrip(b"\r\n")


def _filled(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in lines if line.strip() and line != BOM)


def _text(line: bytes) -> str:
    return line.removeprefix(BOM).decode(errors="backslashreplace")


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [JsonLines]
