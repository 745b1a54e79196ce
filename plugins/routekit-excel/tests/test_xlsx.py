"""Excel workbooks: what is read, what is refused, what is written; held against openpyxl, which knows Excel well."""

import doctest
import io
import tracemalloc
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from pydantic import BaseModel, ValidationError

from routekit import BodyError, Record, Records, from_
from routekit.testing import Feed, Sink, run_routes
from routekit_excel import Xlsx, formats, table, texts

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)

words = some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
words = words | some.text("<&>\"'=+_x000D\r\n\t ", min_size=1, max_size=8) | some.sampled_from(["_x000D_", "=1+1", "1"])
moments = some.datetimes(datetime(1900, 3, 2), datetime(9999, 1, 1)).map(lambda at: at.replace(microsecond=0))
values = (
    some.none()
    | words
    | some.booleans()
    | some.integers(-(10**15) + 1, 10**15 - 1)
    | some.floats(allow_nan=False, allow_infinity=False)
    | moments.filter(lambda at: at.time() != time())
    | some.dates(date(1900, 3, 2))
    | some.times().map(lambda at: at.replace(microsecond=0))
    | some.integers(0, 10**8).map(lambda seconds: timedelta(seconds=seconds))
)
rows = some.lists(some.fixed_dictionaries({"id": some.integers(0, 9), "näme": values, "a & b": values}), min_size=1)


class Pipe(io.RawIOBase):
    """A stream that cannot be sought."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


def workbook(*rows: list[Any], title: str = "Sheet") -> Any:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def saved(book: Any) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def read(data: bytes, **options: Any) -> list[Record]:
    return list(Xlsx(**options).records(io.BytesIO(data)))


def bodies(data: bytes, **options: Any) -> list[Any]:
    found = read(data, **options)
    assert [record.error for record in found] == [None] * len(found)
    assert [record.number for record in found] == list(range(1, len(found) + 1))
    return [record.body for record in found]


def replaced(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """The workbook with something else in one of its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == part:
                assert old in content
                content = content.replace(old, new)
            target.writestr(info, content)
    return file.getvalue()


@pytest.mark.parametrize("module", [texts, formats, table], ids=lambda module: module.__name__)
def test_what_it_says(module: Any) -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(module).failed == 0


@slow
@given(rows, some.booleans())
def test_rows_come_back(written: Any, pipe: bool) -> None:
    """Numbers, truths, dates, times, durations and any text, from streams that can be sought and that cannot."""
    data = Xlsx().encode(written)
    stream: Any = Pipe(data) if pipe else io.BytesIO(data)
    assert [record.body for record in Xlsx().records(stream)] == written
    assert [{key: type(value) for key, value in row.items()} for row in Xlsx().decode(data)] == [
        {key: type(value) for key, value in row.items()} for row in written
    ]


@slow
@given(rows)
def test_what_is_written_is_what_others_read(written: Any) -> None:
    """openpyxl finds the same values, and no formula."""
    sheet = openpyxl.load_workbook(io.BytesIO(Xlsx().encode(written))).active
    assert sheet.title == "Sheet1"
    header, *found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert header == list(written[0])
    assert [[as_openpyxl(row[name]) for name in header] for row in written] == [
        [*map(unescaped, row), *[None] * (3 - len(row))] for row in found
    ]
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def as_openpyxl(value: Any) -> Any:
    return datetime.combine(value, time()) if type(value) is date else value


def as_others(value: Any) -> Any:
    """They write sixteen digits."""
    return float(f"{value:.16g}") if isinstance(value, float) else value


def unescaped(value: Any) -> Any:
    return texts.unescaped(value) if isinstance(value, str) else value


@slow
@given(some.lists(some.tuples(some.integers(0, 9), values), min_size=1))
def test_what_xlsxwriter_writes_is_read(written: Any) -> None:
    """As Excel writes it: with the texts in a table of their own."""
    found = [(row["n"], row["value"]) for row in bodies(by_xlsxwriter([("n", "value"), *written]))]
    assert found == [(n, as_others(value)) for n, value in written]


def by_xlsxwriter(rows: Any) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        forms = {
            kind: book.add_format({"num_format": code})
            for kind, code in {
                date: "dd.mm.yyyy",
                datetime: "d/m/yy h:mm:ss",
                time: "hh:mm:ss",
                timedelta: "[h]:mm:ss",
            }.items()
        }
        for at, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(at, column, value)
                elif type(value) in forms:
                    sheet.write_datetime(at, column, value, forms[type(value)])
                else:
                    sheet.write(at, column, value)
    return file.getvalue()


@slow
@given(some.lists(some.tuples(some.integers(0, 9), values), min_size=1))
def test_what_openpyxl_writes_is_read(written: Any) -> None:
    """With the texts in their cells."""
    with suppress(openpyxl.utils.exceptions.IllegalCharacterError):
        book = workbook(["n", "value"])
        for n, value in written:
            book.active.append([n, None])
            cell = book.active.cell(book.active.max_row, 2)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
        expected = [(n, unescaped(value)) for n, value in written]
        found = [(row["n"], row["value"]) for row in bodies(saved(book))]
        assert len(found) == len(expected)
        for (n, value), (m, wanted) in zip(found, expected, strict=True):
            assert n == m
            assert value == as_others(wanted)


def test_the_same_rows_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever they are written: a message that is delivered again writes the very same file."""
    first = Xlsx().encode([{"a": 1}])
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert Xlsx().encode([{"a": 1}]) == first


@pytest.mark.parametrize(
    ("code", "number", "value"),
    [
        ("General", 45000.5, 45000.5),
        ("0.00", 1, 1),
        ("yyyy-mm-dd", 45000, date(2023, 3, 15)),
        ("yyyy-mm-dd", 45000.5, datetime(2023, 3, 15, 12)),
        ("dd.mm.yyyy hh:mm", 45000, datetime(2023, 3, 15)),
        ("mmm yy", 45000, date(2023, 3, 15)),
        ("h:mm AM/PM", 0.75, time(18)),
        ("mm:ss", 0.25, time(6)),
        ("[h]:mm", 1.5, timedelta(days=1, hours=12)),
        ("[$-407]d. mmmm yyyy", 45000, date(2023, 3, 15)),
        ('0 "days"', 5, 5),
        ("[Red]0", 5, 5),
        ("yyyy-mm-dd", 1, date(1900, 1, 1)),
        ("yyyy-mm-dd", 59, date(1900, 2, 28)),
        ("yyyy-mm-dd", 61, date(1900, 3, 1)),
        ("yyyy-mm-dd", -1, -1),
        ("yyyy-mm-dd", 1e300, 1e300),
    ],
)
def test_a_format_makes_a_number_a_moment(code: str, number: float, value: Any) -> None:
    """As Excel shows it; whatever its calendar does not have stays a number."""
    book = workbook(["x"], [number])
    book.active["A2"].number_format = code
    assert bodies(saved(book)) == [{"x": value}]


def test_a_workbook_may_count_from_1904() -> None:
    """As those of old Macs do."""
    book = workbook(["x"], [1])
    book.active["A2"].number_format = "yyyy-mm-dd"
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    assert bodies(saved(book)) == [{"x": date(1904, 1, 2)}]


def test_texts_in_several_styles_are_one_text() -> None:
    """In the table of texts and in a cell; hints how it is spoken are none of it."""
    book = workbook(["x"], ["same"])
    book.active["A3"] = CellRichText("a ", TextBlock(InlineFont(b=True), "bold"), " one")
    assert [body["x"] for body in bodies(saved(book))] == ["same", "a bold one"]
    spoken = b"<r><t>a </t></r><r><t>b</t></r><rPh sb='0' eb='1'><t>hint</t></rPh>"
    data = replaced(by_xlsxwriter([["x"], ["same"], ["same"]]), "xl/sharedStrings.xml", b"<t>same</t>", spoken)
    assert [body["x"] for body in bodies(data)] == ["a b", "a b"]


def test_formulas_count_with_their_last_result() -> None:
    """One that was never calculated has none; one that failed costs only its row, and is named with its cell."""
    book = workbook(["a", "b"], [1, "=A2*2"], [2, "#N/A"], [3, 4])
    data = replaced(saved(book), "xl/worksheets/sheet1.xml", b"<f>A2*2</f><v></v>", b"<f>A2*2</f><v>2</v>")
    first, bad, last = read(data)
    assert (first.body, last.body) == ({"a": 1, "b": 2}, {"a": 3, "b": 4})
    assert bad == Record(2, {"a": 2, "b": "#N/A"}, "cell B3 shows #N/A", "b", {"sheet.name": "Sheet", "sheet.row": 3})
    assert bodies(saved(workbook(["a", "b"], [1, "=A2*2"]))) == [{"a": 1, "b": None}]


def test_empty_rows_and_cells() -> None:
    """Empty rows are left out; the header `sheet.row` is the number that Excel shows; a missing cell is None."""
    data = saved(workbook([], ["a", "b", None], [], [None, 1], [None, None], [2]))
    records = read(data)
    assert [record.body for record in records] == [{"a": None, "b": 1}, {"a": 2, "b": None}]
    assert [(record.headers or {})["sheet.row"] for record in records] == [4, 6]


def test_a_row_that_is_too_long_costs_only_itself() -> None:
    """The error names the cell; what was found is shown."""
    bad, good = read(saved(workbook(["a"], [1, None, "x", 2], [3])))
    assert bad.body == {"a": 1, "extra fields": "x, 2"}
    assert bad.error == "expected 1 columns, found a value in cell C2"
    assert good.body == {"a": 3}


def test_columns_may_be_named() -> None:
    """Where there is no header, or to rename it; rows above are skipped."""
    data = saved(workbook(["Leads", "of", "November"], ["Name", "City"], ["Ann", "Ulm"]))
    assert bodies(data, skip=1) == [{"Name": "Ann", "City": "Ulm"}]
    assert bodies(data, skip=1, columns="a,b", header=True) == [{"a": "Ann", "b": "Ulm"}]
    assert bodies(data, skip=2, columns="a,b") == [{"a": "Ann", "b": "Ulm"}]


def test_values_may_all_be_text() -> None:
    """As CSV has them, for types that ask for text: a number that is an id, for one."""
    row = [49123, 1.5, 2.0, True, date(2026, 11, 21), time(6), timedelta(hours=30), None, "x"]
    data = saved(workbook(list("abcdefghi"), row))
    [body] = bodies(data, text=True)
    assert list(body.values()) == ["49123", "1.5", "2", "true", "2026-11-21", "06:00:00", "30:00:00", "", "x"]


def test_a_sheet_is_found_by_name_or_number() -> None:
    """The first unless another is asked for; those that there are are told."""
    book = workbook(["a"], [1], title="First")
    book.create_sheet("Zweites & letztes").append(["b"])
    book.worksheets[1].append([2])
    data = saved(book)
    assert bodies(data) == bodies(data, sheet="1") == bodies(data, sheet="First") == [{"a": 1}]
    assert bodies(data, sheet="2") == bodies(data, sheet="Zweites & letztes") == [{"b": 2}]
    for asked in ("3", "Frist", "0"):
        with pytest.raises(BodyError, match="the workbook has no sheet"):
            read(data, sheet=asked)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the sheet is empty"),
        ([["a", None, "c"]], "the header has no name in cell B1"),
        ([["a", "b", "a"]], "the header has two columns 'a'"),
    ],
)
def test_a_sheet_without_a_header_is_refused(rows: list[list[Any]], message: str) -> None:
    """What cannot be a table says what it is."""
    with pytest.raises(BodyError, match=message):
        read(saved(workbook(*rows)))


def test_a_header_must_be_as_wide_as_the_columns() -> None:
    """Where both are given."""
    with pytest.raises(BodyError, match="the header has 1 columns, expected 2"):
        read(saved(workbook(["a"])), columns="a,b", header=True)


def test_what_is_no_workbook_is_refused() -> None:
    """An empty file, text, another archive, the old format, and one that was cut."""
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "x")
    for data in (b"", b"id,name\n", b"\xd0\xcf\x11\xe0" * 200, saved(workbook(["a"]))[:3000], other.getvalue()):
        with pytest.raises(BodyError, match="this is no Excel workbook"):
            read(data)


@slow
@given(some.lists(some.tuples(some.integers(0, 5000), some.integers(0, 255)), max_size=6))
def test_any_damage_is_read_or_refused(damage: list[tuple[int, int]]) -> None:
    """Whatever bytes come, there are records or a BodyError."""
    data = bytearray(MADE)
    for at, value in damage:
        data[at % len(data)] = value
    with suppress(BodyError):
        assert all(record.number for record in read(bytes(data)))


@slow
@given(some.sampled_from(["r", "s", "t", "v"]), some.text("A1Z9.-e_sbn<>&", max_size=6))
def test_any_cell_is_read_or_refused(what: str, given: str) -> None:
    """Whatever a cell says of itself."""
    cell = {"r": "A2", "s": "0", "t": "n", "v": "1"} | {what: given}
    new = f'<c r="{cell["r"]}" s="{cell["s"]}" t="{cell["t"]}"><v>{cell["v"]}</v></c>'.encode()
    with suppress(BodyError):
        list(read(replaced(ONE, "xl/worksheets/sheet1.xml", b'<c r="A2" t="n"><v>1</v></c>', new)))


MADE = saved(workbook(["a", "b"], [1, "text"], [date(2026, 11, 21), 2.5]))
ONE = saved(workbook(["a"], [1]))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """By what its parts say, which is all that is ever unpacked of them."""
    data = replaced(ONE, "xl/worksheets/sheet1.xml", b"<sheetData>", b"<sheetData>" + b" " * (20 << 20))
    with pytest.raises(BodyError, match="unpacks to more than max_ratio=200 times its size"):
        read(data)
    with pytest.raises(BodyError, match=r"unpacks to [\d,]+ bytes, more than max_bytes=10,485,760"):
        read(data, max_bytes="10MB")
    assert bodies(data, max_ratio=5000) == [{"a": 1}]


def test_texts_are_bounded() -> None:
    """They are held in memory."""
    data = by_xlsxwriter([["a"], *[[f"text {n}"] for n in range(3000)]])
    with pytest.raises(BodyError, match="more texts than max_texts=102,400"):
        read(data, max_texts="100KB")


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml", "_rels/.rels"])
@pytest.mark.parametrize("entity", ['<!ENTITY a "aaaa">', '<!ENTITY a SYSTEM "file:///etc/passwd">'])
def test_entities_are_refused(part: str, entity: str) -> None:
    """In every part."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(MADE)) as source, zipfile.ZipFile(file, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == part:
                content = content[content.index(b"?>") + 2 if content.startswith(b"<?") else 0 :]
                content = f"<!DOCTYPE x [{entity}]>".encode() + content
            target.writestr(info, content)
    with pytest.raises(BodyError, match="it has the entity 'a'"):
        read(file.getvalue())


def test_a_cell_may_not_be_without_end() -> None:
    """Nor a row be where Excel has none."""
    cell = b'<c r="A2" t="n"><v>1</v></c>'
    text = b'<c r="A2" t="str"><v>' + b"x" * (2 << 20) + b"</v></c>"
    with pytest.raises(BodyError, match="cell A2 has more than 1,048,576 characters"):
        read(replaced(ONE, "xl/worksheets/sheet1.xml", cell, text), max_ratio=10_000)
    with pytest.raises(BodyError, match="it has a row 99999999"):
        read(replaced(ONE, "xl/worksheets/sheet1.xml", b'<row r="2"', b'<row r="99999999"'))
    with pytest.raises(BodyError, match="it has a column 'ZZZZ'"):
        read(replaced(ONE, "xl/worksheets/sheet1.xml", b'<c r="A2"', b'<c r="ZZZZ2"'))


def test_memory_does_not_grow_with_the_rows() -> None:
    """Nor with the workbook: only its different texts are held."""
    data = Xlsx().encode({"id": n, "name": f"name {n}", "n": n / 7} for n in range(30_000))
    records = Xlsx().records(io.BytesIO(data))
    next(records)
    tracemalloc.start()
    found = sum(1 for _ in records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 29_999
    assert peak < 3 << 20


class Order(BaseModel):
    number: int
    total: Decimal
    when: datetime
    tags: list[str] = []
    note: str | None = None


@dataclass
class Person:
    name: str
    born: date


def test_bodies_are_written() -> None:
    """Models, dataclasses and mappings; what Excel has no kind for is text, and nothing loses digits."""
    [row] = bodies(
        Xlsx().encode(Order(number=10**16, total=Decimal("1.50"), when=datetime(2026, 1, 1, tzinfo=UTC), tags=["a"]))
    )
    assert row == {"number": str(10**16), "total": 1.5, "when": "2026-01-01T00:00:00Z", "tags": '["a"]', "note": None}
    assert bodies(Xlsx().encode([Person("Ann", date(2000, 1, 2))])) == [{"name": "Ann", "born": date(2000, 1, 2)}]
    assert bodies(Xlsx().encode([{"a": date(1850, 1, 1)}])) == [{"a": "1850-01-01"}]
    assert read(Xlsx(columns="b,a", header=True).encode([{"a": 1}]), columns="x,y", header=True)[0].body == {
        "x": None,
        "y": 1,
    }


def test_a_sheet_gets_its_name_and_place() -> None:
    """With the options that read it again."""
    codec = Xlsx(sheet="Leads & more", skip=2)
    data = codec.encode([{"a": 1}])
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert (book.sheetnames, book.active["A3"].value) == (["Leads & more"], "a")
    assert codec.decode(data) == [{"a": 1}]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1}, {"a": 1, "nmae": 2}], "row 2: there is no column 'nmae'"),
        ([5], "a int is no row"),
        ([{}], "no columns"),
        ([{"a": object()}], "row 1, column 'a': a object cannot be written"),
        ([{"a": "x" * 40_000}], "row 1, column 'a': the text has 40,000 characters: a cell holds 32,767"),
        ([{"a": "\ud800"}], "the text cannot be written"),
        ([{"a": float("nan")}], "nan is no number that a cell can hold"),
        ([{str(n): n for n in range(20_000)}], "there are 20,000 columns"),
    ],
)
def test_what_a_cell_cannot_hold_is_refused(rows: list[Any], message: str) -> None:
    """Nothing is cut off or dropped silently."""
    with pytest.raises(BodyError, match=message):
        Xlsx().encode(rows)


def test_nothing_can_be_appended() -> None:
    """A workbook is written whole."""
    with pytest.raises(BodyError, match="nothing can be appended to xlsx files"):
        Xlsx().lines([{"a": 1}], first=True)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_a_route_reads_rows_into_a_type(anyio_backend: str) -> None:
    """By the suffix or the name of the codec; a row that does not fit is a dead letter with its place in the sheet."""
    out = Sink()
    data = saved(workbook(["name", "born"], ["Ann", date(2000, 1, 2)], ["Bob", "soon"]))
    flow = from_(Feed([data]), bytes).split(Records(Person, codec="xlsx"), on_error="dead_letter_items").to(out)
    run = await run_routes(flow)
    assert out.bodies == [Person("Ann", date(2000, 1, 2))]
    [letter] = run.letters
    assert letter.reason.startswith("row 2, column 'born'")
    assert letter.headers["sheet.row"] == 3


@pytest.mark.parametrize(
    "options",
    [{"sheet": "a/b"}, {"sheet": "x" * 32}, {"columns": "a,a"}, {"header": False}, {"skip": -1}, {"shet": "a"}],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """Wrong options are found when the codec is made."""
    with pytest.raises(ValidationError):
        Xlsx(**options)
