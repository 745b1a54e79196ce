"""JSON documents and arrays."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel

from routekit import BodyError, Record
from routekit.codecs.json import Json

texts = some.text(some.characters(exclude_categories=["Cs"]))
numbers = some.integers() | some.floats(allow_nan=False, allow_infinity=False)
plain = some.recursive(
    some.none() | some.booleans() | numbers | texts,
    lambda inner: some.lists(inner) | some.dictionaries(texts, inner),
    max_leaves=20,
)


class Order(BaseModel):
    number: int
    total: Decimal
    when: datetime


@dataclass
class Line:
    id: UUID
    note: str | None


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, however many are asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._data.read() if size < 0 else self._data.read(min(size, self._step))


class Endless(io.RawIOBase):
    """An array without end, which counts how much of it was read."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "the whole stream was asked for"
        data = b"[1" if not self.taken else b", 1" * (size // 3)
        self.taken += len(data)
        return data


@given(plain)
def test_plain_data_comes_back(body):
    """Decoding what was encoded gives the same data."""
    assert Json().decode(Json().encode(body)) == body
    assert Json(indent=2).decode(Json(indent=2).encode(body)) == body


@given(some.lists(plain), some.integers(1, 9))
def test_the_records_of_an_array_are_its_elements(bodies, step: int):
    """An array's elements come back in order and numbered, wherever the stream is cut."""
    stream = Trickle(Json(indent=1).encode(bodies), step)
    assert list(Json().records(stream)) == [Record(number, body) for number, body in enumerate(bodies, 1)]


def test_typed_bodies_are_written():
    """Models, dataclasses, decimals, times and UUIDs are written as JSON."""
    when = datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert Json().encode(Order(number=1, total=Decimal("1.50"), when=when)) == (
        b'{"number":1,"total":"1.50","when":"2026-11-01T08:00:00Z"}'
    )
    assert Json().encode([Line(UUID(int=1), None)]) == (b'[{"id":"00000000-0000-0000-0000-000000000001","note":null}]')


def test_a_document_that_is_no_array_is_one_record():
    """An object is the only record of its stream."""
    assert list(Json().records(io.BytesIO(b' {"a": [1, 2]} '))) == [Record(1, {"a": [1, 2]})]


@pytest.mark.parametrize("data", [b"[]", b" [ \n ] \n", b"\xef\xbb\xbf[]"])
def test_an_empty_array_has_no_records(data: bytes):
    """An empty array is a stream without records."""
    assert list(Json().records(io.BytesIO(data))) == []


def test_a_byte_order_mark_is_skipped():
    """A document may begin with a UTF-8 byte order mark."""
    assert Json().decode(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_an_array_is_read_lazily():
    """Records come while the stream goes on, and only blocks of it are read ahead."""
    stream = Endless()
    records = Json().records(stream)
    assert [next(records).number for _ in range(10)] == list(range(1, 11))
    assert stream.taken < 1 << 20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{\n "name": "M\xc3\xbcller", "age": x}', r"line 2 column 27, found 'x}'"),
        (b'{"a": 1', r"line 1 column \d, found the end of the text"),
        (b'{"a": 1} and more', r"trailing characters at line 1 column 10, found 'and more'"),
        (b'{"a":\n"M\xfcller"}', r"byte 0xfc at offset 8 is not UTF-8"),
        (b"[NaN]", r"found 'NaN\]'"),
        (b"  \n", r"the text is empty: expected JSON"),
    ],
)
def test_a_broken_document_names_the_place(data: bytes, message: str):
    """An error says where the document is broken and what stands there."""
    with pytest.raises(BodyError, match=message):
        Json().decode(data)


@pytest.mark.parametrize(
    ("data", "row", "message"),
    [
        (b'[{"a":1},\n {"a" 2}]', 2, r"expecting ':' delimiter at line 2 column 7, found '2}\]'"),
        (b"[1,\n2 3]", 2, r"expected ',' or ']' at line 2 column 3, found '3"),
        (b"[1, 2", 2, r"line 1 column 6, found the end of the text"),
        (b'[1, "x', 2, r"unterminated string at line 1 column 5"),
        (b"[1,]", 2, r"line 1 column 4, found ']'"),
        (b"[1] x", 1, r"expected nothing after the array at line 1 column 5, found 'x'"),
        (b"[]]", None, r"expected nothing after the array at line 1 column 3"),
        (b"[Infinity]", 1, r"Infinity is no JSON number"),
        (b'["M\xfcller"]', None, r"byte 0xfc at offset 3 is not UTF-8"),
    ],
)
@pytest.mark.parametrize("step", [1, 100])
def test_a_broken_array_names_the_place(data: bytes, row: int | None, message: str, step: int):
    """An error in an array names the element, line and column, wherever the stream is cut."""
    with pytest.raises(BodyError, match=message) as caught:
        list(Json().records(Trickle(data, step)))
    if row is not None:
        assert caught.value.row == row


def test_the_elements_before_a_broken_one_are_read():
    """Elements before the broken place come as records."""
    records = Json().records(io.BytesIO(b'[{"a":1}, oops]'))
    assert next(records) == Record(1, {"a": 1})
    with pytest.raises(BodyError, match="row 2"):
        next(records)


def test_a_place_is_right_far_into_a_stream():
    """Lines are counted over all blocks of a long stream."""
    data = b"[\n" + b'{"name": "somebody"},\n' * 50_000 + b"oops]"
    with pytest.raises(BodyError, match=r"row 50001: .* at line 50002 column 1, found 'oops]'"):
        list(Json().records(io.BytesIO(data)))


def test_an_endless_element_is_refused():
    """A text that never ends is given up after `max_record` characters."""
    stream = Trickle(b'["' + b"x" * 3_000_000, 1 << 17)
    with pytest.raises(BodyError, match=r"row 1: .* longer than 1048576 characters .*; raise max_record"):
        list(Json(max_record=1 << 20).records(stream))


@pytest.mark.parametrize("body", [float("nan"), {"a": [float("inf")]}, object(), "\ud800"])
def test_a_body_that_is_no_json_is_refused(body: object):
    """What JSON cannot say is a BodyError, not another value."""
    with pytest.raises(BodyError):
        Json().encode(body)


def test_the_word_nan_may_be_text():
    """Only the number is refused."""
    assert Json().encode({"NaN": "Infinity"}) == b'{"NaN":"Infinity"}'


def test_lines_are_documents():
    """Appended bodies stand on lines of their own."""
    assert Json(indent=2).lines([{"a": 1}, [2]], first=True) == b'{"a":1}\n[2]\n'
