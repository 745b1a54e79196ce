"""Dead letters as text: what one version has kept, another can read."""

from dataclasses import asdict

import pytest
from pydantic_core import from_json, to_json

from routekit import Letter, StoreError
from routekit.stores._lettertext import letter_of, text_of

LETTER = Letter(
    "l1",
    "m1",
    "shop.orders",
    "feed:",
    "to crm",
    "shop.py:7",
    "KeyError",
    "'id'",
    2,
    5.0,
    {"n": 1},
    {"h": "x"},
    3,
    ["ValueError: first"],
    [{"id": "m1", "step": "to crm", "after": 0.25}],
)


def test_what_was_kept_is_read() -> None:
    """Every field of it."""
    assert letter_of(text_of(LETTER)) == LETTER


@pytest.mark.parametrize("missing", ["entry", "causes", "history"])
def test_a_letter_of_an_older_version(missing: str) -> None:
    """Fields that it did not have yet are empty."""
    data = {name: value for name, value in asdict(LETTER).items() if name != missing}
    letter = letter_of(to_json(data))
    assert not getattr(letter, missing)
    assert {name: value for name, value in asdict(letter).items() if name != missing} == data


def test_a_letter_of_a_newer_version() -> None:
    """Fields that are not known yet are left out."""
    data = {**from_json(text_of(LETTER)), "colour": "red"}
    assert letter_of(to_json(data)) == LETTER


def test_a_body_that_is_no_data() -> None:
    """Is refused with what to do."""
    letter = Letter(**{**asdict(LETTER), "body": object()})
    with pytest.raises(StoreError, match=r"letter l1 cannot be kept: .*packed\(body\)"):
        text_of(letter)


def test_a_letter_of_a_later_form() -> None:
    """One that a later release keeps in another way is refused with what to do, not read wrongly."""
    data = {**from_json(text_of(LETTER)), "version": 2}
    with pytest.raises(StoreError, match=r"letter l1 was kept in version 2.*upgrade RouteKit"):
        letter_of(to_json(data))


def test_a_letter_of_the_first_releases() -> None:
    """Theirs have no version."""
    data = {name: value for name, value in from_json(text_of(LETTER)).items() if name != "version"}
    assert letter_of(to_json(data)) == LETTER
