"""Where a value stands in a text, however it is written there."""

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit.spellings import covered

VALUES = {
    "ada.lovelace@example.org": "a***@example.org",
    "+49 171 2345678": "***78",
    "Ada Lovelace": "A***",
    "DE89 3704 0044 0532 0130 00": "DE***3000",
    "12 High Street, Marylebone": "***",
    "José Müller": "J***",
    "she called twice about the broken boiler in the cellar and is angry": "***",
    "line one\nline two": "***",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("email 'ADA.LOVELACE@EXAMPLE.ORG' already exists", "email 'a***@example.org' already exists"),
        ("GET /people?email=ada.lovelace%40example.org", "GET /people?email=a***@example.org"),
        ("login ada.lovelace is taken", "login a***@example.org is taken"),
        ("no such number: 0171/2345678", "no such number: ***78"),
        ("00491712345678 is no mobile", "***78 is no mobile"),
        ("KeyError: 'Lovelace'", "KeyError: 'A***'"),
        ("DE89370400440532013000: wrong checksum", "DE***3000: wrong checksum"),
        ("12 HIGH STREET MARYLEBONE has no postcode", "*** has no postcode"),
        ("JOSE MULLER", "J***"),
        ("[input_value='she called twice about ...cellar and is angry']", "[input_value='*** ...***']"),
        (r"'line one\nline two'", "'***'"),
        ("nothing of it is in here: order 17 of 4 is late", "nothing of it is in here: order 17 of 4 is late"),
        ("lovelaces are no Lovelace", "lovelaces are no A***"),
    ],
)
def test_a_value_is_found_in_other_spellings(text: str, shown: str) -> None:
    """In another case, quoted for a URL, with other separators, without accents, in pieces, as one word of a name."""
    assert covered(text, VALUES) == shown


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "lower": str.lower,
    "repr": lambda value: repr(value),
    "JSON": lambda value: json.dumps(value),
    "URL": lambda value: quote(value, safe=""),
    "with spaces": lambda value: " ".join(value),
}


@given(st.text("abcdefghäöéñ0123456789 .,-+@'\"\n", min_size=4, max_size=60), st.sampled_from(list(WRITTEN)))
def test_no_spelling_of_a_long_value_is_left(value: str, how: str) -> None:
    """Whatever the value is: where it has six letters and digits, it is not left in any of these spellings."""
    letters = [one for one in value if one.isalnum()]
    text = f"before {WRITTEN[how](value)} behind"
    if len(letters) >= 6 and len(set(letters)) > 1:
        shown = covered(text, {value: "***"})
        assert WRITTEN[how](value).strip("'\" \n") not in shown


@given(st.text(max_size=200), st.dictionaries(st.text(min_size=4, max_size=30), st.just("***"), max_size=4))
def test_any_text_can_be_covered(text: str, values: dict[str, str]) -> None:
    """Nothing raises, whatever is in it; and without values it stays as it is."""
    shown = covered(text, values)
    assert all(value not in shown for value in values if "*" not in value)
    assert covered(text, {}) == text
