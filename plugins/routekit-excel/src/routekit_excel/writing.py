"""Writing: rows as a workbook of one sheet, always the same bytes for the same rows."""

import io
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any, cast
from xml.sax.saxutils import escape, quoteattr

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from routekit import BodyError, did_you_mean

from .formats import days_of
from .table import LAST_COLUMN, LAST_ROW, letters
from .texts import escaped

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LONGEST = 32_767
_DIGITS = 15
"""Digits that Excel keeps of a number: one that has more is written as text."""

_TITLE = re.compile(r"[^\[\]:*?/\\\0-\x1f]{1,31}")
_SHEET, _BOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.", "http://schemas.openxmlformats.org/"
_START = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = f'xmlns="{_BOOK}spreadsheetml/2006/main"'
_LINK = f"{_BOOK}officeDocument/2006/relationships"
_DATE, _BOTH, _TIME, _SPAN = 1, 2, 3, 4
_STYLES = "".join(
    f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    for number in (0, 164, 165, 21, 46)
)
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_BOOK}package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_SHEET}styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEET}worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_BOOK}package/2006/relationships">'
    f'<Relationship Id="r1" Type="{_LINK}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_BOOK}package/2006/relationships">'
    f'<Relationship Id="r1" Type="{_LINK}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{_LINK}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet {_MAIN}><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    f'<cellXfs count="5">{_STYLES}</cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


def is_title(name: str) -> bool:
    """Whether a sheet can be called so."""
    return _TITLE.fullmatch(name) is not None and name[0] != "'" and name[-1] != "'"


def document(body: Any, title: str, columns: tuple[str, ...], *, header: bool, above: int) -> bytes:
    """The workbook of a list of rows or of one row, below so many empty rows; raises BodyError."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        sheets = f'<sheets><sheet name={quoteattr(title)} sheetId="1" r:id="r1"/></sheets>'
        book = f'<workbook {_MAIN} xmlns:r="{_LINK}">{sheets}</workbook>'
        for name, content in {**_PARTS, "xl/workbook.xml": book}.items():
            archive.writestr(_info(name), _START + content)
        with archive.open(_info("xl/worksheets/sheet1.xml"), "w") as sheet:
            for piece in _sheet(_rows(body), columns, header=header, above=above):
                sheet.write(piece.encode())
    return file.getvalue()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 0
    return info


def _rows(body: Any) -> Iterable[Any]:
    single = isinstance(body, Mapping | BaseModel | str | bytes) or is_dataclass(body)
    return [body] if single or not isinstance(body, Iterable) else cast("Iterable[Any]", body)


def _sheet(bodies: Iterable[Any], columns: tuple[str, ...], *, header: bool, above: int) -> Iterator[str]:
    rows = map(_fields, bodies)
    start = list(islice(rows, 1))
    names = columns or tuple(chain.from_iterable(start))
    if start and not names:
        raise BodyError("the first body has no fields, so there are no columns", hint="give columns=...")
    if len(names) > LAST_COLUMN:
        raise BodyError(f"there are {len(names):,} columns: a sheet has {LAST_COLUMN:,}")
    yield f'{_START}<worksheet {_MAIN}><sheetFormatPr defaultColWidth="16" defaultRowHeight="15"/><sheetData>'
    line = above
    if header and names:
        line += 1
        yield _row(line, enumerate(names), 0)
    for number, row in enumerate(chain(start, rows), 1):
        line += 1
        if line > LAST_ROW:
            raise BodyError(f"there are too many rows: a sheet has {LAST_ROW:,}", row=number)
        unknown = row.keys() - set(names)
        if unknown:
            name = min(unknown, key=str)
            raise BodyError(f"there is no column '{name}'", row=number, hint=did_you_mean(str(name), map(str, names)))
        yield _row(line, ((column, row.get(name)) for column, name in enumerate(names)), number, names)
    yield "</sheetData></worksheet>"


def _row(line: int, values: Iterable[tuple[int, Any]], number: int, names: tuple[str, ...] = ()) -> str:
    cells: list[str] = []
    for column, value in values:
        if value is None or value == "":
            continue
        try:
            cells.append(_cell(f"{letters(column)}{line}", value))
        except BodyError as error:
            raise BodyError(error.reason, row=number or None, column=names[column] if names else None) from None
    return f'<row r="{line}">{"".join(cells)}</row>'


def _fields(body: Any) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return cast("Mapping[str, Any]", body)
    if isinstance(body, BaseModel):
        return body.model_dump(by_alias=True)
    if is_dataclass(body) and not isinstance(body, type):
        return {field.name: getattr(body, field.name) for field in fields(body)}
    raise BodyError(f"a {type(body).__name__} is no row", hint="rows are models, dataclasses or mappings")


def _cell(place: str, value: Any) -> str:
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{value:d}</v></c>'
    if isinstance(value, int | float | Decimal):
        if not math.isfinite(value):
            raise BodyError(f"{value} is no number that a cell can hold", hint="use None or a text")
        if _digits(value) <= _DIGITS:
            return f'<c r="{place}"><v>{value!s}</v></c>'
    if isinstance(value, date | time | timedelta) and getattr(value, "tzinfo", None) is None:
        days = days_of(value)
        if days is not None:
            return f'<c r="{place}" s="{_style(value)}"><v>{days!r}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{_text(value)}</t></is></c>'


def _digits(value: float | Decimal) -> int:
    if isinstance(value, float):
        return 0  # it has no more than Excel has
    return len(str(abs(value))) if isinstance(value, int) else len(value.as_tuple().digits)


def _style(value: date | time | timedelta) -> int:
    if isinstance(value, timedelta):
        return _SPAN
    if isinstance(value, time):
        return _TIME
    return _BOTH if isinstance(value, datetime) else _DATE


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else _plain(value)
    if len(text) > _LONGEST:
        raise BodyError(f"the text has {len(text):,} characters: a cell holds {_LONGEST:,}", hint="shorten it first")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BodyError(f"the text cannot be written: {error.reason}") from None
    return escape(escaped(text))


def _plain(value: Any) -> str:
    try:
        plain = to_jsonable_python(value)
    except (PydanticSerializationError, UnicodeDecodeError) as error:
        raise BodyError(f"a {type(value).__name__} cannot be written into a cell: {error}") from None
    return plain if isinstance(plain, str) else str(plain) if isinstance(plain, int) else to_json(plain).decode()
