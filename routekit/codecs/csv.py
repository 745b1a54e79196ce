"""CSV: rows of text under a header, read fast and lazily; a broken row costs only itself."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Annotated, Any, BinaryIO, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ..codec import Codec, Record
from ..errors import BodyError
from ..hookspecs import hookimpl
from ..units import Bytes
from ._layout import Layout
from ._lines import Encoding
from ._rows import read
from ._table import as_rows, table


def _split(names: object) -> object:
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names


class Csv(Codec):
    """Reads and writes comma separated values (RFC 4180); every value is text."""

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)

    delimiter: str = Field(default=",", description="one character, `tab`, or `auto`: the best of , ; tab |")
    quote: str = Field(default='"', max_length=1, description="the quote character; empty: quotes are plain text")
    encoding: Encoding = Field(
        default="utf-8", description="a byte order mark is skipped; `utf-8-sig` also writes one, as Excel wants it"
    )
    columns: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="the names of the columns, comma separated; without them the header names them"
    )
    header: bool | None = Field(
        default=None, description="whether the first record is a header; unset: yes if no columns are given"
    )
    ragged: Literal["reject", "pad"] = Field(
        default="reject",
        description="a row with too few or too many fields: an error, or filled up with empty text",
    )
    null: str | None = Field(default=None, description="this text means None, in both directions")
    max_record: Bytes = Field(
        default=1 << 20, gt=0, description="a record much longer than this is broken: a quote is not closed"
    )

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, delimiter: str) -> str:
        known = {"auto": "auto", "tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
        if known != "auto" and (len(known) != 1 or known in "\r\n\0"):
            raise ValueError("write one character, tab or auto")
        return known

    @model_validator(mode="after")
    def _sensible(self) -> "Csv":
        if self.header is False and not self.columns:
            raise ValueError("without a header, columns must be given")
        if len(set(self.columns)) < len(self.columns) or not all(self.columns):
            raise ValueError("columns must be named, each once")
        if self.quote and self.quote == self.delimiter:
            raise ValueError("quote and delimiter must differ")
        return self

    def decode(self, data: bytes) -> list[dict[str, Any]]:
        """All rows; raises BodyError for the first one that is broken."""
        return [_sound(record) for record in self.records(BytesIO(data))]

    def encode(self, body: Any) -> bytes:
        """Rows under a header; one model, dataclass or mapping is one row."""
        return self.lines(as_rows(body), first=True)

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """Row by row as dicts; rows that are ragged, undecodable or badly quoted are records with `error`.

        Raises BodyError for a file that is empty, is not text, or whose header has unnamed or repeated columns.
        """
        return read(stream, self._layout)

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        """Rows of models, dataclasses or mappings, in the order of `columns` or of the first body's fields.

        None is written as empty text or as `null`, times in ISO 8601, nested data as JSON. When rows are appended
        whose fields may come in another order, give `columns`. Raises BodyError for a row with a field that has no
        column.
        """
        return table(bodies, self._layout, first=first)

    @property
    def _layout(self) -> Layout:
        return Layout(
            delimiter=self.delimiter,
            quote=self.quote,
            encoding=self.encoding,
            columns=self.columns,
            header=self.header if self.header is not None else not self.columns,
            pad=self.ragged == "pad",
            null=self.null,
            limit=self.max_record,
        )


def _sound(record: Record) -> dict[str, Any]:
    if record.error is not None:
        raise BodyError(record.error, row=record.number, column=record.column)
    return record.body


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Csv]
