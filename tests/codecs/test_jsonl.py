"""JSON Lines."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as some

from routekit import BodyError, Record
from routekit.codecs.jsonl import JsonLines

texts = some.text(some.characters(exclude_categories=["Cs"]))
bodies = some.lists(some.none() | some.integers() | texts | some.dictionaries(texts, some.lists(texts)))


@given(bodies)
def test_bodies_come_back(bodies):
    """Reading the lines that were written gives the same bodies, as records and as a whole."""
    data = JsonLines().lines(bodies, first=True)
    assert list(JsonLines().records(io.BytesIO(data))) == [Record(n, body) for n, body in enumerate(bodies, 1)]
    assert JsonLines().decode(data) == bodies
    assert JsonLines().encode(bodies) == data


def test_a_broken_line_costs_only_itself():
    """A line that is no JSON is a record with the error and the line; the lines around it are read."""
    good, broken, last = JsonLines().records(io.BytesIO(b'{"a":1}\n{"a" 2}\n{"a":3}\n'))
    assert (good, last) == (Record(1, {"a": 1}), Record(3, {"a": 3}))
    assert (broken.number, broken.body) == (2, '{"a" 2}')
    assert "column 6, found '2}'" in (broken.error or "")


def test_blank_lines_are_skipped():
    """Blank lines are no records and are not counted; CR LF ends a line as well."""
    data = b"\xef\xbb\xbf\n\r\n1\r\n   \n2"
    assert list(JsonLines().records(io.BytesIO(data))) == [Record(1, 1), Record(2, 2)]


def test_a_half_written_last_line_is_an_error():
    """What a writer left unfinished does not pass as a record."""
    *_, last = JsonLines().records(io.BytesIO(b'{"a":1}\n{"a":'))
    assert last.body == '{"a":'
    assert "the end of the text" in (last.error or "")


def test_a_line_in_another_encoding_is_an_error():
    """A line that is not UTF-8 names the byte and shows the line."""
    _, broken, _ = JsonLines().records(io.BytesIO(b'1\n"M\xfcller"\n3\n'))
    assert broken.body == '"M\\xfcller"'
    assert "byte 0xfc at offset 2" in (broken.error or "")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_that_is_too_long_costs_only_itself(end: bytes):
    """A line over `max_record` is an error, one of exactly that length is not, and the rest is read."""
    data = end.join([b"1" * 11, b'"' + b"x" * 100 + b'"', b"2" * 10, b"3"])
    found = list(JsonLines(max_record=10).records(io.BytesIO(data)))
    assert [record.error is None for record in found] == [False, False, True, True]
    assert [record.body for record in found[2:]] == [2222222222, 3]
    assert "longer than 10 bytes" in (found[1].error or "")


def test_decoding_stops_at_the_first_broken_line():
    """A whole document with a broken line is refused with its number."""
    with pytest.raises(BodyError, match="row 2"):
        JsonLines().decode(b"1\n{\n3")


def test_one_body_is_one_line():
    """A body that is no list is written as one line."""
    assert JsonLines().encode({"a": [1, 2]}) == b'{"a":[1,2]}\n'
    assert JsonLines().encode("text") == b'"text"\n'
