"""Plain text."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from routekit import BodyError, Record
from routekit.codecs.text import Text

lines = some.lists(some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\r\n")))
encodings = some.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])


@given(lines.filter(lambda lines: not lines or not lines[0].startswith("\ufeff")), lines, encodings)
def test_lines_come_back(start: list[str], more: list[str], encoding: str):
    """Lines written at the start and appended later are read again, in any encoding."""
    codec = Text(encoding=encoding)
    data = codec.lines(start, first=True) + codec.lines(more, first=False)
    assert [record.body for record in codec.records(io.BytesIO(data))] == start + more


def test_only_line_feeds_and_returns_end_a_line():
    """LF, CR LF and CR end a line; other separators of Unicode do not."""
    data = "a\nb\r\nc\rd\u2028e\x0bf\x85g".encode()
    assert [record.body for record in Text().records(io.BytesIO(data))] == ["a", "b", "c", "d\u2028e\x0bf\x85g"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_line_end_may_be_cut_between_blocks(step: int):
    """A CR LF that two reads divide is one line end."""

    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(step)

    found = Text().records(Trickle("ä\r\nb\r\n\r\nc\r".encode()))
    assert [record.body for record in found] == ["ä", "b", "", "c"]


def test_an_undecodable_line_costs_only_itself():
    """A line that is not in the encoding is an error that names the byte; the others are read."""
    good, broken, last = Text().records(io.BytesIO(b"one\nM\xfcller\nthr\xc3\xa9\xc3\xa9"))
    assert (good, last) == (Record(1, "one"), Record(3, "thréé"))
    assert broken == Record(2, "M\\xfcller", "byte 0xfc at character 2 of the line is not utf-8")


def test_a_text_is_decoded_and_encoded_as_it_is():
    """A whole text keeps its line ends; a byte order mark is skipped."""
    assert Text().decode(b"\xef\xbb\xbfa\r\nb") == "a\r\nb"
    assert Text().encode("a\r\nb") == b"a\r\nb"
    assert Text(encoding="utf-8-sig").encode("a") == b"\xef\xbb\xbfa"


def test_an_undecodable_text_names_the_byte():
    """A text that is not in the encoding is refused with the byte and its place."""
    with pytest.raises(BodyError, match="byte 0xfc at offset 1 is not utf-8"):
        Text().decode(b"M\xfcller")


def test_a_character_without_place_in_the_encoding_is_refused():
    """What the encoding cannot say is a BodyError."""
    with pytest.raises(BodyError, match=r"cannot be written in latin-1; choose encoding=utf-8"):
        Text(encoding="latin-1").encode("\N{SNOWMAN}")


def test_what_is_no_text_is_refused():
    """A body of another type is not turned into text by guessing."""
    with pytest.raises(BodyError, match="expected a text, found a dict"):
        Text().lines([{}], first=True)


def test_an_endless_line_is_refused():
    """A line over `max_record` ends the reading instead of filling the memory."""
    with pytest.raises(BodyError, match="longer than 1000 characters"):
        list(Text(max_record=1000).records(io.BytesIO(b"x" * 1_000_000)))


def test_an_unknown_encoding_is_refused():
    """A mistyped encoding is found when the codec is made."""
    with pytest.raises(ValidationError, match="'utf-88' is no text encoding"):
        Text(encoding="utf-88")
