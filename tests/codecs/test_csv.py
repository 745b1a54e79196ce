"""CSV: what is read, what is refused, and that the rest goes on."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel, Field, ValidationError

from routekit import BodyError, Record
from routekit.codecs.csv import Csv

texts = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
texts = texts | some.text(some.sampled_from("\",;\t|\r\n ä\u2028'x"), max_size=8)
rows = some.lists(some.fixed_dictionaries({"id": texts, "näme": texts, "a,b": texts}), min_size=1)


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, however many are asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._step))


def read(data: bytes, **options: Any) -> list[Record]:
    return list(Csv(**options).records(io.BytesIO(data)))


def bodies(data: bytes, **options: Any) -> list[Any]:
    found = read(data, **options)
    assert [record.error for record in found] == [None] * len(found)
    return [record.body for record in found]


@given(
    rows,
    rows,
    some.sampled_from([",", ";", "\t", "|"]),
    some.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    some.integers(1, 30),
)
def test_rows_come_back(start, more, delimiter: str, encoding: str, step: int):
    """Any text written at the start of a file and appended later is read again, wherever the stream is cut."""
    codec = Csv(delimiter=delimiter, encoding=encoding, columns=tuple(start[0]), header=True)
    data = codec.lines(start, first=True) + codec.lines(more, first=False)
    records = codec.records(Trickle(data, step))
    assert list(records) == [Record(number, body) for number, body in enumerate(start + more, 1)]
    assert codec.decode(data) == start + more


@given(some.lists(some.tuples(texts), min_size=1))
def test_a_single_column_comes_back(values):
    """Rows of one column keep empty values, which are not blank lines."""
    written = [{"only": value} for (value,) in values]
    assert Csv().decode(Csv().lines(written, first=True)) == written


@given(some.binary(max_size=300), some.integers(1, 50))
def test_any_bytes_are_read_or_refused(data: bytes, step: int):
    """Whatever bytes come, there are numbered records or a BodyError, and every sound record fits the header."""
    numbers: list[int] = []
    try:
        for record in Csv(columns=("a", "b")).records(Trickle(data, step)):
            numbers.append(record.number)
            assert record.error is not None or list(record.body) == ["a", "b"]
    except BodyError:
        pass
    assert numbers == list(range(1, len(numbers) + 1))


def test_fields_may_hold_delimiters_quotes_and_newlines():
    """Quoted fields keep their text, and records are counted, not lines."""
    data = b'id,note\n1,"a, ""b""\nand\r\nc"\n2,plain\n'
    assert read(data) == [Record(1, {"id": "1", "note": 'a, "b"\nand\r\nc'}), Record(2, {"id": "2", "note": "plain"})]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_is_known(end: bytes):
    """LF, CR LF and CR end a record; blank lines are no records; the last line end may be missing."""
    assert bodies(end.join([b"a,b", b"1,2", b"", b"3,4"])) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_a_byte_order_mark_is_skipped():
    """The first column's name does not begin with a byte order mark."""
    assert bodies(b"\xef\xbb\xbfa,b\n1,2\n") == [{"a": "1", "b": "2"}]


def test_a_header_alone_has_no_records():
    """A file that is only a header is a stream without records."""
    assert read(b"a,b\n") == []


def test_a_ragged_row_costs_only_itself():
    """A row with too few or too many fields is an error that shows what was found; the rest is read."""
    short, long, good = read(b"a,b\n1\n2,3,4,5\n6,7\n")
    assert short == Record(1, {"a": "1"}, "expected 2 columns, found 1")
    assert long == Record(2, {"a": "2", "b": "3", "extra fields": "4, 5"}, "expected 2 columns, found 4")
    assert good == Record(3, {"a": "6", "b": "7"})


def test_ragged_rows_may_be_padded():
    """With `ragged=pad` missing fields are empty and empty extra ones dropped; extra text is still an error."""
    short, long, full = read(b"a,b\n1\n2,3,,\n4,5,6\n", ragged="pad")
    assert (short, long) == (Record(1, {"a": "1", "b": ""}), Record(2, {"a": "2", "b": "3"}))
    assert full.error == "expected 2 columns, found 3"


@pytest.mark.parametrize("broken", [b'2,"open', b'2,"x"y', b'2,"'])
@pytest.mark.parametrize("later", [b"3,z", b'3,"z"'])
def test_a_badly_quoted_row_does_not_swallow_the_next(broken: bytes, later: bytes):
    """The row with the bad quote is an error with its text, and every row after it is read."""
    first, bad, last, end = read(b"\n".join([b"a,b", b'1,"x"', broken, later, b"4,w"]))
    assert (bad.number, bad.body) == (2, broken.decode())
    assert (bad.error or "").startswith("badly quoted: ")
    assert [record.body["b"] for record in (first, last, end)] == ["x", "z", "w"]
    assert [last.number, end.number] == [3, 4]


@given(some.integers(1, 40))
def test_a_bad_quote_is_taken_back_over_blocks(step: int):
    """Where the stream is cut does not change which rows are read."""
    data = b'a,b\n1,x\n2,"open\n' + b"3,z\n" * 20
    records = list(Csv(max_record=30).records(Trickle(data, step)))
    assert [record.number for record in records if record.error] == [2]
    assert len(records) == 22


def test_an_unclosed_quote_does_not_swallow_a_large_file():
    """An unclosed quote in a file larger than `max_record` costs its row, which is found before the file ends."""
    data = io.BytesIO(b'a,b\n1,"open\n' + b"2,some text\n" * 300_000)
    records = Csv().records(data)
    bad = next(records)
    assert (bad.number, bad.body) == (1, '1,"open')
    assert "does not end within 1048576 characters" in (bad.error or "")
    assert data.tell() < 2 << 20
    assert sum(record.body == {"a": "2", "b": "some text"} for record in records) == 300_000


def test_memory_does_not_grow_with_the_file():
    """Reading a large stream holds a few blocks of it."""

    class Rows(io.RawIOBase):
        left = 20_000_000

        def read(self, size: int = -1) -> bytes:
            block = (b"a,b\n" if self.left == 20_000_000 else b"") + b"1,2\n" * (min(size, self.left) // 4)
            self.left -= len(block)
            return block

    records = Csv().records(Rows())
    next(records)
    tracemalloc.start()
    for _ in zip(range(200_000), records, strict=False):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 << 20


def test_a_field_may_be_as_large_as_a_record():
    """Fields over the 128 KB of Python's csv module are read, up to `max_record`."""
    text = "x" * 700_000
    assert bodies(f'a,b\n1,"{text}"\n'.encode()) == [{"a": "1", "b": text}]


def test_an_endless_line_names_the_row():
    """A line without end is refused with the row, instead of filling the memory."""
    with pytest.raises(BodyError, match=r"row 2: a line is longer than 1048576 characters; raise max_record"):
        read(b"a\n1\n" + b"x" * 3_000_000)


def test_an_undecodable_field_costs_only_its_row():
    """A byte that is not in the encoding is an error with its column; the rows around it are read."""
    good, bad, last = read("id,name\n1,ä\n".encode() + b"2,M\xfcller\n" + "3,ö\n".encode())
    assert (good.body["name"], last.body["name"]) == ("ä", "ö")
    assert bad == Record(
        2, {"id": "2", "name": "M\\xfcller"}, "byte 0xfc at character 2 of the field is not utf-8", "name"
    )


@given(some.integers(1, 12))
def test_characters_may_be_cut_between_blocks(step: int):
    """A character that is cut between two reads is no error."""
    data = "id,name\n1,äöü€😀\n".encode() * 1
    assert [record.body["name"] for record in Csv().records(Trickle(data, step))] == ["äöü€😀"]


def test_an_undecodable_byte_is_found_in_a_row_that_spans_blocks():
    """A row that begins in a damaged block and ends in a sound one is still an error."""
    data = b'a,b\n1,"\xfc' + b"x\n" * 100_000 + b'"\n2,ok\n'
    bad, good = read(data)
    assert "byte 0xfc" in (bad.error or "")
    assert good == Record(2, {"a": "2", "b": "ok"})


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-be", "shift_jis"])
def test_other_encodings_are_read(encoding: str):
    """The encoding option is used for reading."""
    assert bodies("a,b\n1,§\n".encode(encoding), encoding=encoding) == [{"a": "1", "b": "§"}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty: expected a header with columns"),
        (b"\n\n", "the file is empty"),
        (b"a,b,a\n1,2,3", "two columns 'a'"),
        (b"a,,c\n1,2,3", "column 2 of the header has no name"),
        (b"a,M\xfc\n1,2", r"the header is not in this encoding: 'M\\xfc'"),
        (b'a,"b"c\n1,2', "the header is badly quoted"),
        (b"PK\x03\x04\x00\x00", "this is not CSV text: it looks like a zip or Excel file"),
        (b"a,b\n1,\x00\n", "this is not CSV text: a NUL character"),
        ("a,b\n1,2\n".encode("utf-16"), "begins like UTF-16; write encoding=utf-16"),
    ],
)
def test_a_file_that_is_no_table_is_refused(data: bytes, message: str):
    """What cannot be a table is a BodyError that says what it is."""
    with pytest.raises(BodyError, match=message):
        read(data)


def test_columns_name_a_file_without_header():
    """With `columns` the first line is a record."""
    assert bodies(b"1,2\n", columns="a, b") == [{"a": "1", "b": "2"}]
    assert read(b"", columns="a,b") == []


def test_columns_may_rename_a_header():
    """With `columns` and `header` the header is skipped, if it is as wide."""
    assert bodies(b"x,y\n1,2\n", columns="a,b", header=True) == [{"a": "1", "b": "2"}]
    with pytest.raises(BodyError, match="the header has 3 columns, expected 2"):
        read(b"x,y,z\n", columns="a,b", header=True)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str):
    """With `delimiter=auto` the character that divides all rows alike is taken, not one that occurs in texts."""
    table = ["id,x;y", "name", "a|b\tc"], ["1", "a, b; c", "1,5"], ["2", "|x|", "2,5"]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(table)
    assert [list(body.values()) for body in bodies(text.getvalue().encode(), delimiter="auto")] == list(table[1:])


def test_the_delimiter_divides_all_rows_alike():
    """With `delimiter=auto` a character that divides only the header into more columns is not taken."""
    data = b"last, first, title;city\nSmith;Berlin\nJones;Paris\n"
    assert list(bodies(data, delimiter="auto")[0]) == ["last, first, title", "city"]


def test_a_single_column_needs_no_delimiter():
    """With `delimiter=auto` a file of one column is read as such."""
    assert bodies(b"name\nanna\nbert\n", delimiter="auto") == [{"name": "anna"}, {"name": "bert"}]


def test_null_texts_are_none():
    """With `null` that text is None in both directions."""
    codec = Csv(null="NULL")
    assert bodies(b"a,b\nNULL,\n", null="NULL") == [{"a": None, "b": ""}]
    assert codec.lines([{"a": None, "b": ""}], first=True) == b"a,b\r\nNULL,\r\n"


def test_without_quotes_a_quote_is_text():
    """With an empty `quote` quotes are plain characters."""
    assert bodies(b'a,b\n"1,2"\n', quote="") == [{"a": '"1', "b": '2"'}]
    with pytest.raises(BodyError, match="cannot be written without quotes"):
        Csv(quote="").lines([{"a": "1,2"}], first=True)


def test_a_whole_document_is_refused_for_one_bad_row():
    """Decoding a document raises for the first row that is broken, with its number."""
    with pytest.raises(BodyError, match="row 2: expected 2 columns, found 1") as caught:
        Csv().decode(b"a,b\n1,2\n3\n")
    assert caught.value.row == 2


class Order(BaseModel):
    number: int
    total: Decimal
    when: datetime
    tags: list[str] = []
    paid: bool = False
    note: str | None = None
    city: str = Field(default="", serialization_alias="Ort")


@dataclass
class Person:
    name: str
    born: date


def test_models_are_written():
    """A model's fields are columns; times are ISO 8601, None is empty, nested data is JSON."""
    order = Order(number=1, total=Decimal("1.50"), when=datetime(2026, 11, 1, tzinfo=UTC), tags=["a", "b"])
    assert Csv().encode(order) == (
        b'number,total,when,tags,paid,note,Ort\r\n1,1.50,2026-11-01T00:00:00Z,"[""a"",""b""]",false,,\r\n'
    )


def test_dataclasses_are_written():
    """A dataclass's fields are columns."""
    people = [Person("Anna", date(2000, 1, 2)), Person("Bert", date(2001, 2, 3))]
    assert Csv(delimiter=";").encode(people) == b"name;born\r\nAnna;2000-01-02\r\nBert;2001-02-03\r\n"


def test_rows_are_appended_without_a_header():
    """Only the start of a file has a header; `columns` fixes the order and fills what is missing."""
    codec = Csv(columns="b,a", header=True)
    assert codec.lines([{"a": 1, "b": 2}], first=True) == b"b,a\r\n2,1\r\n"
    assert codec.lines([{"a": 3}], first=False) == b",3\r\n"


def test_nothing_is_written_for_no_rows():
    """No rows give an empty text, or the header alone where the columns are known."""
    assert Csv().lines([], first=True) == b""
    assert Csv(columns="a,b", header=True).lines([], first=True) == b"a,b\r\n"


def test_rows_are_written_lazily():
    """Bodies may come from a generator."""

    def some_rows() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        yield {"a": 2}

    assert Csv().encode(some_rows()) == b"a\r\n1\r\n2\r\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1}, {"a": 1, "nmae": 2}], "row 2: there is no column 'nmae'"),
        ([5], "a int is no row"),
        ([{}], "no columns"),
        ([{"a": "x\0y"}], "NUL character"),
        ([{"a": object()}], "a object cannot be written as CSV"),
        ([{"a": b"\xff"}], "a bytes cannot be written as CSV"),
        ([{"a": "\ud800"}], "cannot be written in utf-8"),
    ],
)
def test_what_is_no_row_is_refused(rows: list[Any], message: str):
    """A body that cannot be a row is a BodyError; nothing is dropped silently."""
    with pytest.raises(BodyError, match=message):
        Csv().lines(rows, first=True)


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ""},
        {"delimiter": ",,"},
        {"delimiter": "\n"},
        {"quote": ","},
        {"columns": "a,a"},
        {"columns": "a,,b"},
        {"header": False},
        {"ragged": "maybe"},
        {"encoding": "utf-88"},
        {"quotes": "'"},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]):
    """Wrong options are found when the codec is made."""
    with pytest.raises(ValidationError):
        Csv(**options)


@pytest.mark.parametrize("word", ["tab", "\\t", "\t"])
def test_a_tab_may_be_written_as_a_word(word: str):
    """`delimiter=tab` is a tab."""
    assert bodies(b"a\tb\n1\t2\n", delimiter=word) == [{"a": "1", "b": "2"}]
