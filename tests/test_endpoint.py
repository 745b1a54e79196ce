"""Endpoints and URIs."""

import string
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from routekit import PER_MESSAGE, BadOption, Bytes, Capabilities, DefinitionError, Endpoint, PathField, Seconds
from routekit.endpoint import parse_uri


class Box(Endpoint):
    """An endpoint with all kinds of options."""

    scheme = "box"
    path: PathField
    name: Annotated[str | None, PER_MESSAGE] = None
    count: int = Field(1, ge=1)
    open: bool = False
    wait: Seconds = 1.0
    room: Bytes = 1024
    folder: Path | None = None
    password: SecretStr = SecretStr("")


class Bare(Endpoint):
    scheme = "bare"


@pytest.mark.parametrize(
    ("text", "scheme", "path", "options"),
    [
        ("file:in", "file", "in", {}),
        ("file:", "file", "", {}),
        ("file:/a/b:c?x=1&y=2", "file", "/a/b:c", {"x": "1", "y": "2"}),
        ("http:0.0.0.0:8080/leads", "http", "0.0.0.0:8080/leads", {}),
        ("x:a%20b%3F?n=%26%3D+", "x", "a b?", {"n": "&=+"}),
        ("x:p?a=b=c", "x", "p", {"a": "b=c"}),
        ("x:p?a=", "x", "p", {"a": ""}),
        ("x:p?a=x?y", "x", "p", {"a": "x?y"}),
        ("x:p?&a=1&", "x", "p", {"a": "1"}),
        ("a-b+c:p", "a-b+c", "p", {}),
        ("x:p?codec=csv&codec.delimiter=;", "x", "p", {"codec": {"name": "csv", "delimiter": ";"}}),
        ("x:p?tls.ca=a&tls.key=b", "x", "p", {"tls": {"ca": "a", "key": "b"}}),
    ],
)
def test_the_parts_of_a_uri(text: str, scheme: str, path: str, options: dict[str, Any]) -> None:
    """Scheme, path and options, decoded."""
    uri = parse_uri(text)
    assert (uri.scheme, uri.path, dict(uri.options)) == (scheme, path, options)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing", "'nothing' is no endpoint; write scheme:path?option=value"),
        ("", "'' is no endpoint"),
        (":x", "':x' is no endpoint"),
        ("File:x", "is no endpoint"),
        ("x:p?a", "x: option 'a' has no value; write a="),
        ("x:p?a=1&a=2", "x: option 'a' is given twice"),
        ("no endpoint://me:hunter2@host", "me:***@host"),
    ],
)
def test_what_is_no_uri(text: str, reason: str) -> None:
    """Says what was found and what to write, without passwords."""
    with pytest.raises(DefinitionError) as caught:
        parse_uri(text)
    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_uri_makes_the_endpoint_that_its_constructor_makes() -> None:
    """Options are converted."""
    uri = parse_uri("box:a/b?count=3&open=true&wait=2m&room=1KB&folder=x&name=n&password=p")
    typed = Box(
        path="a/b", count=3, open=True, wait=120, room=1024, folder=Path("x"), name="n", password=SecretStr("p")
    )
    assert Box.of(uri.path, uri.options) == typed
    assert Box.of("a", {}) == Box(path="a")


@pytest.mark.parametrize(
    ("path", "options", "reason"),
    [
        ("a", {"cuont": 1}, "box: has no option 'cuont'; did you mean 'count'?"),
        ("a", {"path": "b"}, "'path' is given twice; it is the path of the URI"),
        ("", {}, "'path' is missing"),
        ("a", {"count": "0"}, "'count': input should be greater than or equal to 1"),
        ("a", {"wait": "soon"}, "'wait'"),
    ],
)
def test_wrong_options(path: str, options: dict[str, Any], reason: str) -> None:
    """Are named."""
    with pytest.raises(BadOption) as caught:
        Box.of(path, options)
    assert reason in str(caught.value)


def test_a_path_that_nobody_takes_is_wrong() -> None:
    """An endpoint without fields has no path."""
    assert Bare.of("", {}) == Bare()
    assert Bare.path_field() is None


def test_it_prints_what_was_given_and_hides_secrets() -> None:
    """No defaults, and no passwords, whether typed or text."""
    assert str(Box(path="a")) == "box:a"
    assert str(Box(path="a", open=True, count=1)) == "box:a?count=1&open=true"
    assert str(Box(path="a", password=SecretStr("hunter2"))) == "box:a?password=***"
    assert str(Box(path="amqp://me:hunter2@host/x")) == "box:amqp://me:***@host/x"


TEXTS = st.text(string.printable + "äöü€😀", min_size=1, max_size=20)


@given(
    path=TEXTS,
    name=TEXTS | st.none(),
    count=st.integers(1, 10**6),
    opened=st.booleans(),
    wait=st.floats(0, 1e6),
    room=st.integers(0, 10**9),
)
def test_printed_and_read_again_it_is_the_same(
    path: str, name: str | None, count: int, opened: bool, wait: float, room: int
) -> None:
    """A URI round trip, whatever the texts."""
    options: dict[str, Any] = {"count": count, "open": opened, "wait": wait, "room": room}
    box = Box(path=path, **options, **({} if name is None else {"name": name}))
    uri = box.uri()
    if "***" in uri:  # it looked like a URL with a password in it
        return
    parts = parse_uri(uri)
    assert Box.of(parts.path, parts.options) == box


def test_options_for_each_message_are_marked() -> None:
    """Only those may be computed."""
    assert list(Box.per_message()) == ["name"]


def test_endpoints_are_values() -> None:
    """Frozen, and equal if their options are."""
    assert Box(path="a", count=2) == Box(path="a", count=2)
    with pytest.raises(ValueError, match="frozen"):
        Box(path="a").count = 2  # type: ignore[misc]


def test_an_endpoint_promises_nothing_that_it_does_not_say() -> None:
    """Each promise is made by name; what holds with some options only is asked of the endpoint itself."""
    assert Bare().promises() == Capabilities()
    assert not any(value for _, value in Capabilities())

    class Sometimes(Bare):
        often: bool = False

        def promises(self) -> Capabilities:
            return Capabilities(ordered=self.often)

    assert (Sometimes().promises().ordered, Sometimes(often=True).promises().ordered) == (False, True)
