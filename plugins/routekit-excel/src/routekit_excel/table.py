"""Table: the rows of a sheet, read one after the other, as records."""

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from routekit import BodyError, Record

from .formats import moment
from .markup import Part
from .texts import unescaped
from .workbook import Sheet

LAST_ROW = 1 << 20
LAST_COLUMN = 1 << 14
_LONGEST = 1 << 20
"""Characters that a cell may have; Excel itself knows 32,767."""

_DIGITS = "0123456789"

EXTRA = "extra fields"
"""The key under which the body of a broken record shows the values for which there is no column."""


class Wrong(str):
    """What a cell shows for a formula that failed: `#N/A`."""


Cells = dict[int, Any]
"""The values of a row that are there, by the number of their column from 0."""


class Rows(Part):
    """The rows of a sheet by their number; `found` are those since it was emptied."""

    def __init__(self, sheet: Sheet) -> None:
        self.found: list[tuple[int, Cells]] = []
        self._texts, self._formats, self._since_1904 = sheet.texts, sheet.formats, sheet.since_1904
        self._columns: dict[str, int] = {}
        self._cells: Cells = {}
        self._row = 0
        self._column = -1
        self._kind = ""
        self._style = 0
        self._pieces: list[str] = []
        self._reading = False
        self._hint = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            reference = attributes.get("r")
            self._column = self._column + 1 if reference is None else self._column_of(reference)
            self._kind = attributes.get("t", "n")
            self._style = int(attributes.get("s", 0))
            self._pieces = []
        elif name in ("v", "t"):
            self._reading = not self._hint
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            if self._row > LAST_ROW:
                raise BodyError(f"it has a row {self._row}: {LAST_ROW} is the last one")
            self._cells, self._column = {}, -1
        elif name == "rPh":
            self._hint = True

    def text(self, data: str) -> None:
        if self._reading:
            self._pieces.append(data)
            if len(self._pieces) > 1 and sum(map(len, self._pieces)) > _LONGEST:
                raise BodyError(f"cell {letters(self._column)}{self._row} has more than {_LONGEST:,} characters")

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._reading = False
        elif name == "c":
            if self._pieces:
                self._cells[self._column] = self._value("".join(self._pieces))
        elif name == "row":
            self.found.append((self._row, self._cells))
        elif name == "rPh":
            self._hint = False

    def _value(self, text: str) -> Any:
        kind = self._kind
        if kind == "s":
            return self._texts[int(text)] if int(text) < len(self._texts) else Wrong(f"text {text}, which is not there")
        if kind == "n":
            number = float(text) if any(sign in text for sign in ".eE") else int(text)
            form = self._formats[self._style] if self._style < len(self._formats) else "number"
            return number if form == "number" else moment(number, form, since_1904=self._since_1904)
        if kind == "b":
            return text.strip() == "1"
        if kind == "e":
            return Wrong(text)
        return datetime.fromisoformat(text) if kind == "d" else unescaped(text)

    def _column_of(self, reference: str) -> int:
        name = reference.rstrip(_DIGITS)
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = _number(name)
        return found


def records(sheet: Sheet, columns: tuple[str, ...], *, header: bool, skip: int, text: bool) -> Iterator[Record]:
    """The rows of a sheet, the one after those that are skipped being its header if it has one."""
    rows = ((number, cells) for number, cells in _rows(sheet) if number > skip and any(map(_filled, cells.values())))
    names = list(columns)
    if header:
        names = _names(next(rows, None), columns)
    for count, (number, cells) in enumerate(rows, 1):
        yield _record(count, number, cells, names, sheet.name, text=text)


def letters(column: int) -> str:
    """The name of a column, numbered from 0.

    >>> letters(0), letters(27)
    ('A', 'AB')
    """
    before, last = divmod(column, 26)
    return (letters(before - 1) if before else "") + chr(ord("A") + last)


def _rows(sheet: Sheet) -> Iterator[tuple[int, Cells]]:
    rows = Rows(sheet)
    with sheet.workbook.open(sheet.part) as stream:
        for _ in rows.blocks(stream, f"sheet '{sheet.name}'"):
            yield from rows.found
            rows.found.clear()


def _number(name: str) -> int:
    number = 0
    for letter in name.upper():
        if not "A" <= letter <= "Z":
            raise BodyError(f"it has a column '{name[:10]}'")
        number = number * 26 + ord(letter) - ord("A") + 1
        if number > LAST_COLUMN:
            break
    if not 1 <= number <= LAST_COLUMN:
        raise BodyError(f"it has a column '{name[:10]}'")
    return number - 1


def _filled(value: Any) -> bool:
    return value is not None and value != ""


def _names(row: tuple[int, Cells] | None, columns: tuple[str, ...]) -> list[str]:
    if row is None:
        raise BodyError("the sheet is empty: expected a header with columns", hint="is it on another sheet?")
    number, cells = row
    last = max(column for column, value in cells.items() if _filled(value))
    found = [_as_text(cells.get(column)).strip() for column in range(last + 1)]
    if columns:
        if len(found) != len(columns):
            raise BodyError(f"the header has {len(found)} columns, expected {len(columns)}: {columns}")
        return list(columns)
    for column, name in enumerate(found):
        if not name:
            cell = f"{letters(column)}{number}"
            raise BodyError(f"the header has no name in cell {cell}", hint="name it, give columns=... or skip=...")
        if name in found[:column]:
            raise BodyError(f"the header has two columns '{name}'", hint="rename one, or give columns=...")
    return found


def _record(count: int, number: int, cells: Cells, names: list[str], sheet: str, *, text: bool) -> Record:
    headers = {"sheet.name": sheet, "sheet.row": number}
    if text:
        body: dict[str, Any] = {name: _as_text(cells.get(column)) for column, name in enumerate(names)}
    else:
        body = {name: cells.get(column) for column, name in enumerate(names)}
    for column, value in cells.items():
        if type(value) is Wrong:
            name = names[column] if column < len(names) else EXTRA
            return Record(count, body, f"cell {letters(column)}{number} shows {value}", name, headers)
        if column >= len(names) and _filled(value):
            body[EXTRA] = ", ".join(_as_text(cells[each]) for each in sorted(cells) if each >= len(names))
            cell = f"{letters(column)}{number}"
            return Record(count, body, f"expected {len(names)} columns, found a value in cell {cell}", EXTRA, headers)
    return Record(count, body, None, None, headers)


def _as_text(value: Any) -> str:
    """A value as CSV has it: numbers as short as they can be, times in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, date | time):
        return value.isoformat()
    return _clock(value) if isinstance(value, timedelta) else str(value)


def _clock(span: timedelta) -> str:
    """Hours, minutes and seconds, as a workbook shows them."""
    seconds = abs(span) // timedelta(seconds=1)
    return f"{'-' if span < timedelta() else ''}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
