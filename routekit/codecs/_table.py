"""Writes bodies as CSV rows."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from io import StringIO
from itertools import chain, islice
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ..errors import BodyError, did_you_mean
from ._jsontext import written
from ._layout import Layout
from ._lines import encoded


def table(bodies: Iterable[Any], layout: Layout, *, first: bool) -> bytes:
    """Bodies as rows in the layout, under a header if it has one and this is the start of a file."""
    rows = map(fields_of, bodies)
    start = list(islice(rows, 1))
    columns = layout.columns or tuple(chain.from_iterable(start))
    if not columns and not start:
        return b""
    if not columns:
        raise BodyError("the first body has no fields, so there are no columns", hint="give columns=...")
    text = StringIO(newline="")
    # With CR LF as the line end, the csv module quotes both characters wherever they stand in a field.
    form = layout.format("," if layout.delimiter == "auto" else layout.delimiter)
    writer = csv.writer(text, lineterminator="\r\n", **form)
    try:
        if first and layout.header:
            writer.writerow(columns)
        for number, row in enumerate(chain(start, rows), 1):
            writer.writerow(_cells(row, columns, number, layout.null))
    except csv.Error as error:
        raise BodyError(f"a value cannot be written without quotes: {error}", hint="give a quote character") from None
    return encoded(_plain(text.getvalue()), layout.encoding, first=first)


def as_rows(body: object) -> Iterable[Any]:
    """The rows that a body means: its elements if it is a list or other iterable, else itself."""
    single = isinstance(body, Mapping | BaseModel | str | bytes) or is_dataclass(body)
    return [body] if single or not isinstance(body, Iterable) else cast("Iterable[Any]", body)


def fields_of(body: Any) -> Mapping[str, Any]:
    """The fields of a row by name; raises BodyError for what is none."""
    if isinstance(body, Mapping):
        return cast("Mapping[str, Any]", body)
    if isinstance(body, BaseModel):
        return body.model_dump(by_alias=True)
    if is_dataclass(body) and not isinstance(body, type):
        return {field.name: getattr(body, field.name) for field in fields(body)}
    raise BodyError(f"a {type(body).__name__} is no row", hint="rows are models, dataclasses or mappings")


def _cells(row: Mapping[str, Any], columns: tuple[str, ...], number: int, null: str | None) -> list[str]:
    unknown = row.keys() - set(columns)
    if unknown:
        name = min(unknown, key=str)
        raise BodyError(f"there is no column '{name}'", row=number, hint=did_you_mean(str(name), map(str, columns)))
    return [_text(row.get(column), null) for column in columns]


def _text(value: object, null: str | None) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return null or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    try:
        plain = to_jsonable_python(value)
    except (PydanticSerializationError, UnicodeDecodeError) as error:
        raise BodyError(f"a {type(value).__name__} cannot be written as CSV: {error}") from None
    return plain if isinstance(plain, str) else written(plain).decode()


def _plain(text: str) -> str:
    if "\0" in text:
        raise BodyError("a value holds a NUL character, which is no CSV text", hint="remove it, or write JSON")
    return text
