"""Fixed width: records whose columns stand at the same place in each, as mainframes and banks write them."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import chain, islice
from typing import Annotated, Any, BinaryIO, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from ..codec import Codec, Record
from ..errors import BodyError, did_you_mean
from ..hookspecs import hookimpl
from ._columns import Column
from ._lines import BLOCK, Encoding, Lines, encoded, reading, split_lines, undecodable, undecoded
from ._table import as_rows, fields_of

ROOM = "_"


def _split(columns: object) -> object:
    return tuple(columns.split(",")) if isinstance(columns, str) else columns


class Fixed(Codec):
    """Reads and writes records of columns of fixed width; widths count characters."""

    name: ClassVar[str] = "fixed"

    columns: Annotated[tuple[Column, ...], BeforeValidator(_split)] = Field(
        min_length=1,
        description="`name:width`, comma separated; then a type, `total:10:integer`, `total:10:decimal:2` (two digits "
        "after a point that is not written) or `due:8:date:%Y%m%d`; `_:3` is room that nobody reads",
    )
    line_ends: Literal["lf", "crlf", "none"] = Field(
        default="lf", description="what ends a record that is written, and none if they just follow each other"
    )
    skip: int = Field(default=0, ge=0, description="records at the start that are none, such as a header")
    only: str = Field(default="", description="leave out records that do not begin with this text")
    encoding: Encoding = Field(default="utf-8", description="`cp1252`, `latin-1`, `cp037` (EBCDIC) ...")
    ragged: Literal["reject", "pad"] = Field(
        default="reject",
        description="a record that is too short or too long: an error, or filled up with blanks",
    )

    @field_validator("columns")
    @classmethod
    def _named_once(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        names = [column.name for column in columns if column.name != ROOM]
        if not names or len(set(names)) < len(names):
            raise ValueError("columns must be named, each once")
        return columns

    @property
    def width(self) -> int:
        """The characters of a record."""
        return sum(column.width for column in self.columns)

    def decode(self, data: bytes) -> list[dict[str, Any]]:
        """All records; raises BodyError for the first one that is broken."""
        return [_sound(record) for record in self.records(BytesIO(data))]

    def encode(self, body: Any) -> bytes:
        """Records of models, dataclasses or mappings; one of them is one record."""
        return self.lines(as_rows(body), first=True)

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """Record by record as dicts: text without its filling, None for numbers and dates that are blank.

        One that is ragged or undecodable, or has a field that is not of its type, is a record with `error`.
        """
        read = _reader(self)
        found = self._blocks(stream) if self.line_ends == "none" else self._lines(stream)
        wanted = (text for text in islice(found, self.skip, None) if text and text.startswith(self.only))
        for number, text in enumerate(wanted, 1):
            yield read(number, text)

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        """Records with their fields aligned and filled up; raises BodyError for a value that is too long."""
        end = {"lf": "\n", "crlf": "\r\n", "none": ""}[self.line_ends]
        text = "".join(self._written(number, body) + end for number, body in enumerate(bodies, 1))
        return encoded(text, self.encoding, first=first)

    def _written(self, number: int, body: Any) -> str:
        row = fields_of(body)
        names = [column.name for column in self.columns]
        unknown = row.keys() - set(names)
        if unknown:
            name = min(unknown, key=str)
            raise BodyError(f"there is no column '{name}'", row=number, hint=did_you_mean(str(name), names))
        try:
            return "".join(column.write(row.get(column.name)) for column in self.columns)
        except BodyError as error:
            raise BodyError(error.reason, row=number, column=error.column, hint=error.hint) from None

    def _lines(self, stream: BinaryIO) -> Iterator[str]:
        blocks = Lines(stream, self.encoding, max(1 << 20, self.width))
        return (line.rstrip("\r\n") for line in chain.from_iterable(map(split_lines, blocks)))

    def _blocks(self, stream: BinaryIO) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(reading(self.encoding))("surrogateescape")
        width, text, more = self.width, "", True
        while more:
            data = stream.read(BLOCK)
            more = bool(data)
            try:
                text += decoder.decode(data, final=not more)
            except UnicodeDecodeError as error:
                raise BodyError(f"byte 0x{error.object[error.start]:02x} is not {self.encoding}") from None
            whole = len(text) - len(text) % width
            yield from (text[at : at + width] for at in range(0, whole, width))
            text = text[whole:]
        if text.strip("\r\n\x1a"):
            yield text


class _reader:  # noqa: N801 - a function with what it needs at hand
    """How a record's text becomes its fields."""

    def __init__(self, codec: Fixed) -> None:
        self._width = codec.width
        self._pad = codec.ragged == "pad"
        self._encoding = codec.encoding
        self._fields: list[tuple[str, int, int, Any]] = []
        at = 0
        for column in codec.columns:
            if column.name != ROOM:
                self._fields.append((column.name, at, at + column.width, column.reader()))
            at += column.width

    def __call__(self, number: int, text: str) -> Record:
        at = undecodable(text)
        if at is not None:
            found = f"byte 0x{ord(text[at]) - 0xDC00:02x} at character {at + 1} of the record is not {self._encoding}"
            return Record(number, self._shown(text), found, self._column_at(at))
        if len(text) != self._width:
            if not self._pad or text[self._width :].strip():
                return Record(number, self._shown(text), f"expected {self._width} characters, found {len(text)}")
            text = text.ljust(self._width)
        try:
            return Record(number, {name: read(text[start:end]) for name, start, end, read in self._fields})
        except ValueError:
            return self._misfit(number, text)

    def _misfit(self, number: int, text: str) -> Record:
        for name, start, end, read in self._fields:
            try:
                read(text[start:end])
            except ValueError as error:
                return Record(number, self._shown(text), str(error), name)
        raise AssertionError("one of them did not fit")

    def _shown(self, text: str) -> dict[str, str]:
        return {name: undecoded(text[start:end]) for name, start, end, _ in self._fields}

    def _column_at(self, at: int) -> str | None:
        return next((name for name, start, end, _ in self._fields if start <= at < end), None)


def _sound(record: Record) -> dict[str, Any]:
    if record.error is not None:
        raise BodyError(record.error, row=record.number, column=record.column)
    return record.body


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Fixed]
