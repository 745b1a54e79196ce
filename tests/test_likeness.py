"""Failures that differ only in their values are alike, and those of different steps never are."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from routekit.likeness import LONGEST, alike, fingerprint

WORDS = st.lists(st.sampled_from(["order", "is", "unknown", "at", "not", "found", "because", "of"]), max_size=3)


def values() -> st.SearchStrategy[list[str]]:
    """Lists of two values of one sort, as an error's text would show them."""
    moments = st.datetimes(timezones=st.just(UTC))
    names = st.text(st.sampled_from("abcxyz"), min_size=1, max_size=8)
    sorts: list[st.SearchStrategy[str]] = [
        st.integers().map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.uuids().map(str),
        st.uuids().map(lambda uuid: uuid.hex),
        st.text(max_size=30).map(repr),
        names.map(lambda name: f'"{name}"'),
        moments.map(lambda moment: moment.isoformat()),
        moments.map(lambda moment: moment.strftime("%a %b %d %H:%M:%S %Y")),
        names.map(lambda name: f"{name}@example.org"),
        names.map(lambda name: f"https://{name}:secret@example.org/{name}?q={name}"),
        st.ip_addresses().map(str),
        st.integers(0, 2**64).map(hex),
        names.map(lambda name: f"/data/{name}.csv"),
        st.lists(st.integers(), min_size=1).map(repr),
        st.lists(names, min_size=1).map(repr),
        st.dictionaries(names, st.integers(), min_size=1).map(repr),
    ]
    return st.one_of([st.lists(sort, min_size=2, max_size=2) for sort in sorts])


@given(st.lists(st.tuples(WORDS, values()), max_size=4), WORDS)
def test_texts_that_differ_only_in_values_are_alike(parts: list[tuple[list[str], list[str]]], end: list[str]) -> None:
    """Whatever the values are, and wherever they stand."""
    one, other = [
        " ".join(word for words, pair in parts for word in [*words, pair[which]]) + " " + " ".join(end)
        for which in (0, 1)
    ]
    assert alike(one) == alike(other)
    assert fingerprint("r", "s", "E", one) == fingerprint("r", "s", "E", other)


NAMES = st.text(min_size=0, max_size=5)


@given(*[st.tuples(NAMES, NAMES, NAMES)] * 2, st.text())
def test_different_steps_never_collide(one: tuple[str, str, str], other: tuple[str, str, str], text: str) -> None:
    """Nor do different routes or classes, even if the same letters stand in both."""
    assume(one != other)
    assert fingerprint(*one, text) != fingerprint(*other, text)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("row 5, column 'x': must be an integer, found 'abc'", "row *, column *: must be an integer, found *"),
        ("can't reach crm:8080, it's away", "can't reach crm:*, it's away"),
        ("[Errno 2] No such file: '/tmp/a b.csv'", "[Errno *] No such file: *"),
        ("amqp://me:hunter2@host/x is away", "* is away"),
        ("ORD-2024-0001 is closed", "ORD-* is closed"),
        ("and/or, true or false", "and/or, true or false"),
        ("  two\n\tlines  ", "two lines"),
        ("", ""),
    ],
)
def test_what_is_left(text: str, short: str) -> None:
    """The words stay, so that a person can read what is wrong."""
    assert alike(text) == short


def test_failed_parts_count_once() -> None:
    """One message with three failed parts is like one with two."""
    two = "2 of 9 parts failed: m1/0: ValueError: bad 3; m1/3: ValueError: bad 5"
    assert alike(two) == "* of * parts failed: *: ValueError: bad *"
    assert alike(two.replace("2 of", "3 of") + "; m1/7: ValueError: bad 8") == alike(two)
    assert alike(f"{two}; m1/8: KeyError: no key") == "* of * parts failed: *: ValueError: bad *; *: KeyError: no key"


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_a_huge_value_is_one_too(size: int) -> None:
    """A value that is longer than what is looked at."""
    assert alike("found '" + "x y " * size + "'") == "found *"


def test_a_long_text_is_cut() -> None:
    """So that a table can show it."""
    assert len(alike("words " * 1000)) <= LONGEST


@pytest.mark.parametrize("text", ["'", '"\\', "a+", "/a", "1:", "a@", "a.", "-+", "; ", "x; y", "(", "a://"])
def test_no_text_takes_long(text: str) -> None:
    """Nobody can hold up a route with what he sends: this test would not end."""
    assert len(alike(text * 100_000)) <= LONGEST


def test_times_of_day() -> None:
    """A date and time is one value, however it is written."""
    moment = datetime(2026, 11, 2, 5, 6, 7, tzinfo=UTC)
    texts: list[Any] = [moment, moment.isoformat(), moment.strftime("%a, %d %b %Y %H:%M:%S"), moment.timestamp()]
    assert {alike(f"late: {text}") for text in texts} == {"late: *"}
