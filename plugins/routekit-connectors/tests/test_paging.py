"""The laws of paging: each row once on a source that stands still, none missed on one that moves, and always an end."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit_connectors import (
    Answer,
    Ask,
    Cursor,
    Keyset,
    Linked,
    NextUrl,
    Numbered,
    Offset,
    Paging,
    PagingBroken,
    Ranges,
    Walk,
    Whole,
    Windowed,
)

Rows = list[dict[str, Any]]
Source = Callable[[Rows, Ask], tuple[Answer, Rows]]
BASE = "https://api.example.com/rows"


def answer(document: Any, headers: Mapping[str, str] | None = None, url: str = BASE) -> Answer:
    return Answer(200, headers or {}, document, "", url)


def by_offset(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    first, size = int(ask.query["offset"]), int(ask.query["limit"])
    return answer({"count": len(rows)}), rows[first : first + size]


def by_number(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    first = (int(ask.query["page"]) - 1) * 3
    return answer({"pages": -(-len(rows) // 3)}), rows[first : first + 3]


def after_id(rows: Rows, last: int) -> tuple[Rows, int | None]:
    """Pages by id, as a server with cursors has it: where the next page begins stays right whatever goes away."""
    behind = sorted((row for row in rows if row["id"] > last), key=lambda row: row["id"])
    return behind[:3], behind[2]["id"] if len(behind) > 3 else None


def by_cursor(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    page, last = after_id(rows, int(ask.query.get("after", -1)))
    return answer({"next": None if last is None else str(last)}), page


def by_url(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    page, last = after_id(rows, int(parse_qs(urlsplit(ask.url).query).get("after", ["-1"])[0]))
    return answer({"links": {"next": None if last is None else f"?after={last}"}}), page


def by_link(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    page, last = after_id(rows, int(parse_qs(urlsplit(ask.url).query).get("after", ["-1"])[0]))
    return answer(None, {} if last is None else {"link": f'<{BASE}?after={last}>; rel="next"'}), page


def by_range(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    first, last = (int(part) for part in ask.headers["range"].removeprefix("records=").split("-"))
    return answer(None, {"content-range": f"records {first}-{last}/{len(rows)}"}), rows[first : last + 1]


def by_key(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    found = sorted(
        (row for row in rows if row["at"] >= ask.query.get("since", 0)), key=lambda row: (row["at"], row["id"])
    )
    return answer(None), found[int(ask.query.get("skip", 0)) :][:3]


def by_window(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    """A search that gives three rows, and no more by any means but its filters."""
    found = [row for row in rows if row["at"] >= ask.query.get("since", 0) and row["at"] > ask.query.get("beyond", -1)]
    found = [row for row in found if row["id"] > ask.query.get("id_after", -1)]
    return answer(None), sorted(found, key=lambda row: (row["at"], row["id"]))[: ask.query["limit"]]


def whole(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
    return answer(None), rows


WAYS: dict[str, tuple[Paging, Source]] = {
    "offset": (Offset(size=3), by_offset),
    "offset with total": (Offset(size=3, total="count"), by_offset),
    "page": (Numbered(), by_number),
    "page with count": (Numbered(pages="pages"), by_number),
    "cursor": (Cursor("after", "next"), by_cursor),
    "next url": (NextUrl("links/next"), by_url),
    "link header": (Linked(), by_link),
    "range": (Ranges(size=3), by_range),
    "keyset": (Keyset("since", "at", size=3, offset_param="skip"), by_key),
    "window": (Windowed("since", "beyond", "id_after", "at", size=3), by_window),
    "whole": (Whole(), whole),
}
STEADY = ("cursor", "next url", "link header")
"""Ways by which nothing is missed though rows come and go."""


def rows_at(stamps: Sequence[int]) -> Rows:
    return [{"id": number, "at": at} for number, at in enumerate(stamps)]


def walked(paging: Paging, source: Source, rows: Rows, between: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """The ids that come, with something happening between two pages. The place goes through JSON, as if kept."""
    page: str | None = None
    while True:
        step = Walk(paging, limit=1000).at(page)
        said, found = source(rows, step.ask)
        yield from (row["id"] for row in step.fresh(found))
        page = step.after(said, found)
        if page is None:
            return
        json.loads(page)
        between()


@pytest.mark.parametrize("way", WAYS)
@given(stamps=st.lists(st.integers(0, 4), max_size=20))
def test_each_row_comes_once_from_a_source_that_stands_still(way: str, stamps: Sequence[int]) -> None:
    """However many rows there are, and however many share one key."""
    rows = rows_at(stamps)
    found = list(walked(*WAYS[way], rows))
    assert sorted(found) == [row["id"] for row in rows]


@pytest.mark.parametrize("way", STEADY)
@given(count=st.integers(0, 20), gone=st.lists(st.integers(0, 19), max_size=8))
def test_nothing_is_missed_that_was_there_throughout(way: str, count: int, gone: list[int]) -> None:
    """Rows go away and others come between two pages; each that stays comes, and once."""
    rows = rows_at([0] * count)
    stay = {row["id"] for row in rows} - set(gone)
    leaving, new = list(gone), count

    def moves() -> None:
        nonlocal new
        if leaving:
            lost = leaving.pop()
            rows[:] = [row for row in rows if row["id"] != lost]
            rows.append({"id": new, "at": 0})
            new += 1

    found = list(walked(*WAYS[way], rows, moves))
    assert stay <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("way", ["keyset", "window"])
@given(stamps=st.lists(st.integers(0, 30), max_size=20, unique=True), edited=st.lists(st.integers(0, 19), max_size=8))
def test_a_keyset_misses_no_row_that_is_edited_meanwhile(way: str, stamps: list[int], edited: list[int]) -> None:
    """Rows that change between two pages move behind the last one; each row comes at its last change at least."""
    rows = rows_at(stamps)
    clock, waiting = 100, list(edited)

    def moves() -> None:
        nonlocal clock
        if waiting:
            clock += 1
            for row in rows:
                if row["id"] == waiting[-1]:
                    row["at"] = clock
            waiting.pop()

    found = list(walked(*WAYS[way], rows, moves))
    assert set(found) == {row["id"] for row in rows}


@given(count=st.integers(0, 20), gone=st.lists(st.integers(0, 19), max_size=8))
def test_a_window_misses_nothing_though_all_rows_have_one_key(count: int, gone: list[int]) -> None:
    """Rows of that key go away between two pages; each that stays comes, and once: nothing is counted."""
    rows, leaving = rows_at([7] * count), list(gone)

    def moves() -> None:
        if leaving:
            lost = leaving.pop()
            rows[:] = [row for row in rows if row["id"] != lost]

    found = list(walked(*WAYS["window"], rows, moves))
    assert set(range(count)) - set(gone) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("way", ["offset", "page", "range"])
def test_offsets_miss_rows_that_slip_past_them(way: str) -> None:
    """What the documentation says of them is so: a row before the position goes away, and another is not seen."""
    rows = rows_at([0] * 6)
    found = list(walked(*WAYS[way], rows, lambda: rows.pop(0) and None))
    assert set(range(6)) - set(found) != set()


def test_a_page_of_one_key_goes_on_by_offset_or_is_an_error() -> None:
    """Four rows of one key and pages of three: all come where the API can leave out some; else it does not hang."""
    rows = rows_at([7] * 4)
    assert sorted(walked(Keyset("since", "at", size=3, offset_param="skip"), by_key, rows)) == [0, 1, 2, 3]
    with pytest.raises(PagingBroken, match="has the key 7"):
        list(walked(Keyset("since", "at", size=3), by_key, rows))


@pytest.mark.parametrize("circle", [["a"], ["a", "b"], ["a", "b", "c", "d", "e", "b"]])
def test_a_token_that_comes_again_is_an_error(circle: list[str]) -> None:
    """A circle of any length is found, before the limit of pages."""

    def source(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
        last = ask.query.get("after")
        following = circle[(circle.index(last) + 1) % len(circle)] if last in circle else circle[0]
        return answer({"next": following}), rows

    with pytest.raises(PagingBroken, match="comes again"):
        list(walked(Cursor("after", "next"), source, rows_at([0])))


def test_there_is_a_limit_of_pages() -> None:
    """An API that always has one more page ends in an error."""

    def endless(rows: Rows, ask: Ask) -> tuple[Answer, Rows]:
        return answer({"next": str(int(ask.query.get("after", 0)) + 1)}), rows

    with pytest.raises(PagingBroken, match="more than 1000 pages"):
        list(walked(Cursor("after", "next"), endless, rows_at([0])))


@pytest.mark.parametrize("url", ["https://evil.example/rows", "http://api.example.com/rows", "//evil.example/rows"])
def test_a_next_page_elsewhere_is_refused(url: str) -> None:
    """Neither another host nor another scheme is followed, in the document or the header."""
    with pytest.raises(PagingBroken, match=r"the next page of api\.example\.com is at"):
        Walk(NextUrl("next")).at(None).after(answer({"next": url}), [])
    with pytest.raises(PagingBroken, match=r"the next page of api\.example\.com is at"):
        Walk(Linked()).at(None).after(answer(None, {"link": f'<{url}>; rel="next"'}), [])


def test_a_last_page_with_a_token_ends_by_its_flag() -> None:
    """Where `more` is said, it decides."""
    paging = Cursor("after", "next", more="has_more")
    assert paging.after(None, answer({"next": "x", "has_more": False}), []) is None
    assert paging.after(None, answer({"next": "x", "has_more": True}), []) == "x"
