"""Secrecy: what is known as secret is not shown, wherever it stands."""

import doctest
import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routekit import secrecy
from routekit.options import masked
from routekit.secrecy import hidden, is_secret, keep_secret


@pytest.fixture(autouse=True)
def no_secrets_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is a secret here is none in the tests that follow in this process."""
    monkeypatch.setattr(secrecy, "_known", secrecy._Known())  # there is no way to forget one, on purpose


def test_what_it_says() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(secrecy).failed == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=8, max_size=12))
def test_a_secret_is_hidden_in_every_form(value: str) -> None:
    """As it is, quoted in a URI, in JSON, in a repr; and what stands around it stays."""
    keep_secret(value)
    for form in (value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1]):
        assert value not in hidden(f"< {form} >")
        assert hidden(f"\t{form}\n") == "\t***\n"
    assert is_secret(f"a {value} b")


def test_the_longer_of_two_is_hidden_whole() -> None:
    """A secret that begins another does not leave the rest of it behind."""
    keep_secret("kingfisher")
    keep_secret("kingfisher-and-more")
    assert hidden("kingfisher-and-more kingfisher") == "*** ***"


def test_lines_of_a_key_are_secrets() -> None:
    """A key of several lines is hidden whole, and each of its long lines alone."""
    keep_secret("-----BEGIN-----\nMIIEvQIBADANBg\nkqhki\n-----END-----\n")
    assert hidden("at MIIEvQIBADANBg, kqhki") == "at ***, kqhki"
    assert hidden("x -----BEGIN-----\nMIIEvQIBADANBg\nkqhki\n-----END----- y") == "x *** y"


def test_what_is_too_short_is_not_hidden() -> None:
    """It says so: a letter could not be hidden without hiding half of every text. Guesses need more of it."""
    assert not keep_secret("abc")
    assert not keep_secret("common", guessed=True)
    assert hidden("abc common") == "abc common"


@pytest.mark.parametrize("text", ["zebra-finch-7", "amqp://zebra-finch-7@host", "error: 'zebra-finch-7' is wrong"])
def test_whatever_is_masked_is_masked_by_value_too(text: str) -> None:
    """Whatever the setting is called that it came from."""
    keep_secret("zebra-finch-7")
    assert "zebra" not in masked(text)
    assert "***" in masked(text)
