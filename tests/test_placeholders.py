"""Placeholders in URIs and settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import UnknownName
from routekit.endpoint import parse_uri
from routekit.placeholders import filled, filled_uri

VALUES = {"IN": "in", "PORT": "80", "EMPTY": "", "a.b": "dotted"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("file:${IN}", "file:in"),
        ("${IN}/${PORT}", "in/80"),
        ("${NO:default}", "default"),
        ("${NO:}", ""),
        ("${EMPTY:default}", ""),
        ("${a.b}", "dotted"),
        ("${NO:http://x:80/}", "http://x:80/"),
        ("$IN {IN} $${IN", "$IN {IN} $${IN"),
        ("none", "none"),
    ],
)
def test_placeholders_are_filled(text: str, result: str) -> None:
    """By their value, or their default where there is none."""
    assert filled(text, VALUES.get) == result


def test_one_without_a_value_is_an_error() -> None:
    """That says what to do, and offers the nearest known name."""
    with pytest.raises(UnknownName, match=r"no value for \$\{PROT\} in 'x:\$\{PROT\}'; did you mean \$\{PORT\}\?"):
        filled("x:${PROT}", VALUES.get, VALUES)
    with pytest.raises(UnknownName, match="set the environment variable PROT, or --set PROT="):
        filled("x:${PROT}", VALUES.get)


@given(st.text(min_size=1), st.text())
def test_a_value_in_a_uri_stays_a_value(path: str, password: str) -> None:
    """Whatever characters it has: it neither ends the path nor begins another option."""
    uri = parse_uri(filled_uri("sql:${PATH}?password=${PW}&x=1", {"PATH": path, "PW": password}.get))
    assert (uri.scheme, uri.path, dict(uri.options)) == ("sql", path, {"password": password, "x": "1"})


def test_a_placeholder_may_stand_for_a_whole_uri() -> None:
    """At its start it is taken as it is; what follows it is not."""
    values = {"SOURCE": "file:in?after=move", "KIND": "mock", "NAME": "a?b"}
    assert filled_uri("${SOURCE}", values.get) == "file:in?after=move"
    assert filled_uri("${KIND}:${NAME}", values.get) == "mock:a%3Fb"
    assert filled_uri("file:${NO:in?x=1}", values.get) == "file:in?x=1", "a default is the author's own text"
