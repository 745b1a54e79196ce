"""What holds for any value: of data in URLs, of rates, of templates."""

from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit_http import HttpRejected
from routekit_http.server.templates import segments_of, template_of
from routekit_http.targets import placed, target_of
from routekit_http.values import headers_of
from routekit_http.waits import exhausted, retry_after

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["..", ".", "%2e%2e", "a/../b", "//x", "?q", "#f", "@host", "\\", "\r\n"]
)


@given(value=TEXTS)
def test_a_value_in_a_path_is_one_segment(value: str) -> None:
    """It comes out at the other side as it was, and nothing else of the URL has changed."""
    target = target_of("http", "crm/contacts/{id}/notes")
    try:
        url = httpx.URL(placed(target, "https://api.example.com/v1", {"id": value}))
    except HttpRejected:
        assert value in ("", ".", "..")
        return
    except UnicodeEncodeError:
        assert any("\ud800" <= letter <= "\udfff" for letter in value)
        return
    assert (url.scheme, url.host, url.query, url.fragment) == ("https", "api.example.com", b"", "")
    segments = url.raw_path.decode().split("/")
    assert segments[:3] + segments[4:] == ["", "v1", "contacts", "notes"]
    assert unquote(segments[3]) == value


@given(path=TEXTS)
def test_a_path_from_data_stays_below_its_base(path: str) -> None:
    """Whatever it says."""
    try:
        url = httpx.URL(placed(target_of("http", "crm/files"), "https://x/v1", path))
    except (HttpRejected, UnicodeEncodeError):
        return
    assert url.raw_path.startswith(b"/v1/files/")
    assert url.host == "x"
    assert b".." not in url.raw_path.split(b"/")


@given(value=st.lists(st.text(min_size=1, max_size=10), min_size=2, max_size=2))
def test_templates_give_back_what_was_put_in(value: list[str]) -> None:
    """Client and server agree on what a segment is."""
    target = target_of("http", "crm/a/{x}/b/{y}")
    try:
        url = httpx.URL(placed(target, "https://h", {"x": value[0], "y": value[1]}))
    except (HttpRejected, UnicodeEncodeError):
        return
    assert template_of("/a/{x}/b/{y}").match(segments_of(url.raw_path)) == {"x": value[0], "y": value[1]}


@given(name=st.text(max_size=10), value=st.text(max_size=20))
def test_a_header_is_one_header(name: str, value: str) -> None:
    """Or is not sent."""
    try:
        ((sent, text),) = headers_of({name: value})
    except HttpRejected:
        return
    assert sent == name.lower()
    assert not set(sent + text) & set("\r\n\0")


@given(value=st.text(max_size=20) | st.floats().map(str) | st.integers().map(str), date=st.text(max_size=30))
def test_no_header_makes_a_connection_wait_for_ever(value: str, date: str) -> None:
    """Whatever the other side writes."""
    for headers in ({"retry-after": value, "date": date}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": value}):
        for read in (retry_after, exhausted):
            wait = read(headers, 1_800_000_000.0)
            assert wait is None or 0 <= wait <= 3600


@pytest.mark.parametrize("text", ["/{a}/{a}", "/x{a}", "/{a*}/b", "/{}"])
def test_templates_that_are_none(text: str) -> None:
    """Are found early."""
    with pytest.raises(ValueError, match="'"):
        template_of(text)


def test_the_nearest_template_comes_first() -> None:
    """Text before names, and the rest last."""
    texts: list[Any] = ["/{a*}", "/{a}/{b}", "/a/{b}", "/{a}/b", "/a/b"]
    assert [one.text for one in sorted(map(template_of, texts), key=lambda one: one.rank)] == [
        "/a/b",
        "/a/{b}",
        "/{a}/b",
        "/{a}/{b}",
        "/{a*}",
    ]
