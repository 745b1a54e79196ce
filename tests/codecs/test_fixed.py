"""Fixed width: what the columns say, what is refused, and that the rest goes on."""

import io
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from routekit import BodyError, Record, Records, from_
from routekit.codecs.fixed import Fixed
from routekit.testing import Feed, Sink, run_routes

COLUMNS = "id:5:integer,name:8,_:2,total:9:decimal:2,rate:7:decimal,due:8:date"

texts = some.text(some.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff"), max_size=8)
texts = texts.map(lambda text: text.rstrip(" "))
rows = some.lists(
    some.fixed_dictionaries(
        {
            "id": some.none() | some.integers(-9999, 99999),
            "name": texts,
            "total": some.none() | some.decimals(-99999, 999999, places=2),
            "rate": some.none() | some.decimals(-99, 999, places=3),
            "due": some.none() | some.dates(date(1000, 1, 1)),
        }
    )
)


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, however many are asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._step))


def read(data: bytes, columns: str = COLUMNS, **options: Any) -> list[Record]:
    return list(Fixed(columns=columns, **options).records(io.BytesIO(data)))


def bodies(data: bytes, columns: str, **options: Any) -> list[Any]:
    found = read(data, columns, **options)
    assert [record.error for record in found] == [None] * len(found)
    return [record.body for record in found]


@given(
    rows.filter(bool),
    rows,
    some.sampled_from(["lf", "crlf", "none"]),
    some.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    some.integers(1, 90),
)
def test_records_come_back(start: Any, more: Any, ends: str, encoding: str, step: int) -> None:
    """Any values written at the start of a file and appended later are read again, wherever the stream is cut."""
    codec = Fixed(columns=COLUMNS, line_ends=ends, encoding=encoding)
    data = codec.lines(start, first=True) + codec.lines(more, first=False)
    expected = [Record(number, row) for number, row in enumerate(start + more, 1)]
    assert list(codec.records(Trickle(data, step))) == expected
    assert codec.decode(data) == start + more


@given(some.binary(max_size=300), some.integers(1, 50), some.sampled_from(["lf", "none"]))
def test_any_bytes_are_read_or_refused(data: bytes, step: int, ends: str) -> None:
    """Whatever bytes come, there are numbered records or a BodyError, and every sound record has all columns."""
    with suppress(BodyError):
        for number, record in enumerate(Fixed(columns=COLUMNS, line_ends=ends).records(Trickle(data, step)), 1):
            assert record.number == number
            assert record.error is not None or list(record.body) == ["id", "name", "total", "rate", "due"]


def test_what_the_columns_mean() -> None:
    """Text loses its filling; numbers and dates are such, None where they are blank; room is left out."""
    row = b"00012Ann     xx000001250  1.05020261121\n                                       \n"
    assert bodies(row, COLUMNS) == [
        {"id": 12, "name": "Ann", "total": Decimal("12.50"), "rate": Decimal("1.050"), "due": date(2026, 11, 21)},
        {"id": None, "name": "", "total": None, "rate": None, "due": None},
    ]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("integer", "   -12", -12),
        ("integer", "00012-", -12),
        ("integer", "+00012", 12),
        ("integer", "000000", 0),
        ("decimal:2", "01250-", Decimal("-12.50")),
        ("decimal:2", " 12.5 ", Decimal("12.5")),
        ("decimal:0", "000012", Decimal(12)),
        ("decimal", "12.50-", Decimal("-12.50")),
        ("date:%d%m%y", "211126", date(2026, 11, 21)),
        ("date:%H%M%S", "235959", datetime(1900, 1, 1, 23, 59, 59)),
        ("date:%y%m%d", "000000", None),
        ("text", " a    ", " a"),
    ],
)
def test_the_ways_in_which_values_are_written(kind: str, field: str, value: Any) -> None:
    """Signs before and behind, points that are there and points that are meant, days that are none."""
    assert bodies(field.encode(), f"x:6:{kind}") == [{"x": value}]


@pytest.mark.parametrize(
    ("kind", "field", "reason"),
    [
        ("integer", "12,5  ", "'12,5' is no whole number"),
        ("integer", "1_000 ", "'1_000' is no whole number"),
        ("integer", "١٢٣   ", "'١٢٣' is no whole number"),
        ("decimal:2", "12a   ", "'12a' is no whole number"),
        ("decimal", "nan   ", "'nan' is no number"),
        ("decimal", "12,5  ", "'12,5' is no number"),
        ("date:%y%m%d", "261311", "'261311' is no date like %y%m%d"),
        ("date:%y%m%d", "26111 ", "'26111' is no date like %y%m%d"),
    ],
)
def test_a_field_that_is_not_of_its_type_costs_only_its_record(kind: str, field: str, reason: str) -> None:
    """The error names the column and shows the record as text; those after it are read."""
    bad, good = read(f"{field}abc\n      def\n".encode(), f"x:6:{kind},y:3")
    assert bad == Record(1, {"x": field, "y": "abc"}, reason, "x")
    assert good.body["y"] == "def"


def test_a_ragged_record_costs_only_itself() -> None:
    """One that is too short or too long is an error; filled up with blanks if that is wanted, but never cut."""
    data = b"ab\n\nabcdef\nabcd\nabcd \n"
    short, long, good, blank = read(data, "x:2,y:2")
    assert short == Record(1, {"x": "ab", "y": ""}, "expected 4 characters, found 2")
    assert (long.error, good.body) == ("expected 4 characters, found 6", {"x": "ab", "y": "cd"})
    assert blank.error == "expected 4 characters, found 5"
    short, long, good, blank = read(data, "x:2,y:2", ragged="pad")
    assert (short.body, blank.body) == ({"x": "ab", "y": ""}, {"x": "ab", "y": "cd"})
    assert long.error == "expected 4 characters, found 6"


def test_records_without_line_ends_follow_each_other() -> None:
    """As mainframes write them; what is left at the end is an error, unless it only ends the file."""
    data = "0001Müller0002Jones ".encode("cp037")
    options: Any = {"columns": "id:4:integer,name:6", "line_ends": "none", "encoding": "cp037"}
    assert bodies(data, **options) == [{"id": 1, "name": "Müller"}, {"id": 2, "name": "Jones"}]
    assert read(data + "00".encode("cp037"), **options)[-1].error == "expected 10 characters, found 2"
    assert bodies(b"0001abcdef\n\x1a", "id:4,name:6", line_ends="none") == [{"id": "0001", "name": "abcdef"}]


def test_headers_and_trailers_are_left_out() -> None:
    """The first records by their number, others by what records begin with."""
    data = b"H20261121\nD1a\nD2b\nT2\n"
    assert bodies(data, "_:1,n:1,x:1", only="D") == [{"n": "1", "x": "a"}, {"n": "2", "x": "b"}]
    assert bodies(b"header\nab\n", "x:2", skip=1) == [{"x": "ab"}]


def test_an_undecodable_byte_costs_only_its_record() -> None:
    """The error names byte and column."""
    bad, good = read(b"1 M\xfcller\n2 Jones \n", "id:2,name:6")
    found = "byte 0xfc at character 4 of the record is not utf-8"
    assert bad == Record(1, {"id": "1 ", "name": "M\\xfcller"}, found, "name")
    assert good.body == {"id": "2", "name": "Jones"}


def test_an_endless_line_is_refused() -> None:
    """Instead of filling the memory."""
    with pytest.raises(BodyError, match="a line is longer than 1048576 characters"):
        read(b"x" * 3_000_000, "x:2")


def test_a_document_fails_with_its_first_bad_record() -> None:
    """With its number and column."""
    with pytest.raises(BodyError, match="row 2, column 'n': 'x' is no whole number"):
        Fixed(columns="n:2:integer").decode(b"01\n x\n")


@dataclass
class Payment:
    iban: str
    amount: Decimal
    on: date | None = None


def test_bodies_are_written_in_their_columns() -> None:
    """Models, dataclasses and mappings; each type aligned and filled as it is customary, or as it is said."""
    columns = [{"name": "iban", "width": 6}, "amount:8:decimal:2", "on:8:date", "_:1"]
    payments = [Payment("DE12", Decimal("12.5"), date(2026, 11, 21)), Payment("DE13", Decimal(-7))]
    assert Fixed(columns=columns, line_ends="crlf").encode(payments) == (
        b"DE12  0000125020261121 \r\nDE13  -0000700         \r\n"
    )
    right: Any = {"name": "x", "width": 4, "align": "right", "pad": "*"}
    assert Fixed(columns=[right]).encode({"x": "ab"}) == b"**ab\n"
    assert bodies(b"**ab\n", [right]) == [{"x": "ab"}]  # type: ignore[arg-type]
    assert Fixed(columns="n:4:integer,m:6:decimal").encode({"n": -1, "m": 1.5}) == b"-001   1.5\n"
    assert Fixed(columns="n:4:integer").encode([{"n": None}, {}]) == b"    \n    \n"


@pytest.mark.parametrize(
    ("columns", "body", "message"),
    [
        ("x:2", {"x": "abc"}, "row 1, column 'x': 'abc' has 3 characters, the column has 2"),
        ("x:2:integer", {"x": 100}, "'100' has 3 characters"),
        ("x:4", {"x": "a\nb"}, "line end"),
        ("x:2", {"y": "a"}, "there is no column 'y'"),
        ("x:2:integer", {"x": 1.5}, "a float is no integer"),
        ("x:2:integer", {"x": True}, "a bool is no integer"),
        ("x:4:decimal:1", {"x": Decimal("1.25")}, "1.25 has more than 1 digits after the point"),
        ("x:4:decimal", {"x": Decimal("NaN")}, "no number that can be written"),
        ("x:8:date", {"x": 5}, "a int is no date"),
        ("x:8", {"x": 5}, "a int is no text"),
        ("x:8", 5, "a int is no row"),
    ],
)
def test_what_does_not_fit_is_not_written(columns: str, body: Any, message: str) -> None:
    """Nothing is cut off, rounded or left out silently."""
    with pytest.raises(BodyError, match=message):
        Fixed(columns=columns).encode(body)


@given(some.decimals(allow_nan=False, allow_infinity=False), some.integers(0, 6))
def test_decimals_are_written_exactly_or_not_at_all(value: Decimal, places: int) -> None:
    """However many digits they have."""
    codec = Fixed(columns=f"x:40:decimal:{places}")
    with suppress(BodyError):
        assert codec.decode(codec.encode({"x": value})) == [{"x": value}]


def test_memory_does_not_grow_with_the_file() -> None:
    """Reading a large stream holds a few blocks of it."""
    data = b"00012Ann     xx000001250  1.05020261121\n" * 100_000
    for ends in ("lf", "none"):
        records = Fixed(columns="a:20,b:19" if ends == "lf" else "a:20,b:20", line_ends=ends, ragged="pad").records(
            io.BytesIO(data)
        )
        next(records)
        tracemalloc.start()
        found = sum(record.error is None for record in records)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == 99_999
        assert peak < 3 << 20


@pytest.mark.anyio
@pytest.mark.real_time
async def test_a_route_reads_records_into_a_type() -> None:
    """The columns are given in the route; a record that does not fit is a dead letter with its row and column."""
    out = Sink()
    data = b"DE12  0000125020261121\nDE13  00001x5020261121\n"
    codec = {"name": "fixed", "columns": "iban:6,amount:8:decimal:2,on:8:date"}
    flow = from_(Feed([data]), bytes).split(Records(Payment, codec=codec), on_error="dead_letter_items").to(out)
    run = await run_routes(flow)
    assert out.bodies == [Payment("DE12", Decimal("12.50"), date(2026, 11, 21))]
    assert [letter.reason for letter in run.letters] == ["row 2, column 'amount': '00001x50' is no whole number"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"columns": ""},
        {"columns": "x"},
        {"columns": "x:0"},
        {"columns": "x:a"},
        {"columns": "x:2,x:3"},
        {"columns": "_:2"},
        {"columns": "x:2:number"},
        {"columns": "x:2:integer:2"},
        {"columns": "x:2:decimal:many"},
        {"columns": [{"name": "x", "width": 2, "pad": "ab"}]},
        {"columns": [{"name": "x", "width": 2, "places": 2}]},
        {"columns": "x:2", "encoding": "utf-88"},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """Wrong options are found when the codec is made."""
    with pytest.raises(ValidationError):
        Fixed(**options)
