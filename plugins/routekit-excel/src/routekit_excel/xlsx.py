"""The codec: its options, and rows as records."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, ClassVar, cast

from pydantic import BeforeValidator, Field, field_validator, model_validator

from routekit import About, BodyError, Bytes, Codec, Record

from .table import records
from .workbook import Limits, Workbook
from .writing import document, is_title


def _split(names: object) -> object:
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names


class Xlsx(Codec):
    """Reads and writes the rows of one sheet of an Excel workbook (.xlsx), under a header that names the columns.

    Numbers, truths, dates and times are such; an empty cell is None. Formulas are never written: a text that begins
    with `=` stays a text; of those that are read the last result counts.
    """

    name: ClassVar[str] = "xlsx"
    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm")
    about: ClassVar[About] = About(
        headers={"sheet.name": "the name of the sheet", "sheet.row": "the number of the row, as Excel shows it"},
        raises={BodyError: "no workbook, no header, or more than it may unpack to; a bad row costs only itself"},
        example="""
            from pathlib import Path

            from routekit import Records, from_

            prices = from_("file:in?include=*.xlsx&read=path&after=move", Path).split(
                Records(dict, codec={"name": "xlsx", "sheet": "Prices"}), on_error="dead_letter_items"
            )
        """,
    )

    sheet: str = Field(default="", description="the sheet, by its name or its number from 1; unset: the first")
    skip: int = Field(default=0, ge=0, description="rows above the header, such as a title")
    columns: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(), description="the names of the columns, comma separated; without them the header names them"
    )
    header: bool | None = Field(
        default=None, description="whether the first row is a header; unset: yes if no columns are given"
    )
    text: bool = Field(default=False, description="all values as text, as CSV has them: for types that ask for text")
    max_bytes: Bytes = Field(default=1 << 30, gt=0, description="a workbook that unpacks to more is refused")
    max_ratio: int = Field(
        default=200, gt=0, description="a workbook that unpacks to more than so many times its size is refused"
    )
    max_texts: Bytes = Field(
        default=128 << 20, gt=0, description="the different texts of a workbook are held in memory: more are refused"
    )

    @field_validator("sheet")
    @classmethod
    def _can_be_a_title(cls, sheet: str) -> str:
        if sheet and not is_title(sheet):
            raise ValueError("a sheet's name has at most 31 characters, and none of []:*?/\\")
        return sheet

    @model_validator(mode="after")
    def _sensible(self) -> "Xlsx":
        if self.header is False and not self.columns:
            raise ValueError("without a header, columns must be given")
        if len(set(self.columns)) < len(self.columns) or not all(self.columns):
            raise ValueError("columns must be named, each once")
        return self

    def decode(self, data: bytes) -> list[dict[str, Any]]:
        """All rows; raises BodyError for the first one that is broken."""
        return [_sound(record) for record in self.records(BytesIO(data))]

    def encode(self, body: Any) -> bytes:
        """A workbook of one sheet: rows of models, dataclasses or mappings; one of them is one row.

        The same rows give the same bytes. Raises BodyError for what a cell cannot hold.
        """
        title = self.sheet if self.sheet and not self.sheet.isdecimal() else "Sheet1"
        return document(body, title, self.columns, header=self._has_header, above=self.skip)

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """Row by row as dicts, with the headers `sheet.name` and `sheet.row`; empty rows are left out.

        A row with an error such as `#N/A`, or with values where the header has no name, is a record with `error`.
        """
        with SpooledTemporaryFile[bytes](max_size=1 << 20) as copy:
            if not stream.seekable():  # the table of what is in the file is at its end
                shutil.copyfileobj(stream, copy)
                stream = cast("BinaryIO", copy)
            limits = Limits(self.max_bytes, self.max_ratio, self.max_texts)
            with closing(Workbook(stream, limits)) as workbook:
                sheet = workbook.sheet(self.sheet)
                yield from records(sheet, self.columns, header=self._has_header, skip=self.skip, text=self.text)

    @property
    def _has_header(self) -> bool:
        return self.header if self.header is not None else not self.columns


def _sound(record: Record) -> dict[str, Any]:
    if record.error is not None:
        raise BodyError(record.error, row=record.number, column=record.column)
    return record.body
