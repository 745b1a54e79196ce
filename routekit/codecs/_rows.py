"""Reads CSV rows as records: quickly while they are sound, and with a reason where they are not."""

import csv
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..codec import Record
from ..errors import BodyError
from ._layout import Layout
from ._lines import Lines, undecodable, undecoded
from ._physical import Physical
from ._sniffing import delimiter_of

EXTRA = "extra fields"
"""The key under which the body of a broken record shows the fields for which there is no column."""


def read(stream: BinaryIO, layout: Layout) -> Iterator[Record]:
    """The records of a stream; those after a broken one still follow."""
    source = _opened(stream, layout)
    names = _names(source, layout)
    width, exact, number = len(names), layout.null is None, 0
    while True:
        try:
            for row in source.rows:
                source.line = source.rows.line_num
                if len(row) == width and exact and not source.damaged:  # nearly all rows: no call, no copy
                    number += 1
                    yield Record(number, dict(zip(names, row, strict=True)))
                elif row:  # an empty line is no row
                    number += 1
                    yield _careful(number, row, names, layout)
        except csv.Error as error:
            number += 1
            yield Record(number, undecoded(source.take_back()).rstrip("\r\n"), f"badly quoted: {error}")
        except BodyError as error:
            raise BodyError(error.reason, row=number + 1, hint=error.hint) from None
        else:
            return


def _opened(stream: BinaryIO, layout: Layout) -> Physical:
    lines = Lines(stream, layout.encoding, layout.limit)
    delimiter = layout.delimiter
    if delimiter == "auto":
        sample = next(lines, "")
        lines.push_back(sample)
        delimiter = delimiter_of(sample, layout.quote)
    return Physical(lines, layout.limit, layout.format(delimiter))


def _names(source: Physical, layout: Layout) -> tuple[str, ...]:
    if not layout.header:
        return layout.columns
    try:
        header = next((row for row in source.rows if row), None)
    except csv.Error as error:
        raise BodyError(f"the header is badly quoted: {error}", hint="has the file another delimiter?") from None
    if header is None:
        raise BodyError("the file is empty: expected a header with columns")
    source.line = source.rows.line_num
    if not layout.columns:
        _check_names(header)
    elif len(header) != len(layout.columns):
        raise BodyError(f"the header has {len(header)} columns, expected {len(layout.columns)}: {layout.columns}")
    return layout.columns or tuple(header)


def _check_names(header: list[str]) -> None:
    for position, name in enumerate(header, 1):
        if not name.strip():
            raise BodyError(f"column {position} of the header has no name", hint="name it, or give columns=...")
        if name in header[: position - 1]:
            raise BodyError(f"the header has two columns '{name}'", hint="rename one, or give columns=...")
        if undecodable(name) is not None:
            raise BodyError(f"the header is not in this encoding: '{undecoded(name)}'", hint="give encoding=...")


def _careful(number: int, row: list[str], names: tuple[str, ...], layout: Layout) -> Record:
    found = len(row)
    if layout.pad:
        row = _padded(row, len(names))
    body = _shown(row, names)
    at = next((at for at, field in enumerate(row) if undecodable(field) is not None), None)
    if at is not None:
        column = names[at] if at < len(names) else EXTRA
        return Record(number, body, _not_in_encoding(row[at], layout.encoding), column)
    if len(row) != len(names):
        return Record(number, body, f"expected {len(names)} columns, found {found}")
    return Record(number, {name: None if text == layout.null else text for name, text in body.items()})


def _padded(row: list[str], width: int) -> list[str]:
    filled = row + [""] * (width - len(row))
    return filled if any(filled[width:]) else filled[:width]


def _shown(row: list[str], names: tuple[str, ...]) -> dict[str, Any]:
    body: dict[str, Any] = {name: undecoded(field) for name, field in zip(names, row, strict=False)}
    if len(row) > len(names):
        body[EXTRA] = ", ".join(map(undecoded, row[len(names) :]))
    return body


def _not_in_encoding(field: str, encoding: str) -> str:
    at = undecodable(field) or 0
    return f"byte 0x{ord(field[at]) - 0xDC00:02x} at character {at + 1} of the field is not {encoding}"
