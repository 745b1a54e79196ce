"""The lists of a remote in memory: its feed and its scan, cut into pages as its knobs say."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from ...remotes import Feed, FeedExpired, Page, Record, Refused
from .knobs import Paging
from .rows import Row, State
from .system import FakeSystem

_LAST = "\U0010ffff"
"""A text that comes after every id."""


def changes(system: FakeSystem, since: float | str | None, page: str | None) -> Page:
    """A page of the feed."""
    match system.knobs.feed:
        case Feed.STAMP:
            return _stamped(system, since, page)
        case Feed.TOKEN:
            return _tokened(system, since, page)
        case Feed.NONE:
            raise Refused("this system has no feed of changes", hint="read all records with a scan")


def scan(system: FakeSystem, page: str | None, fields: bool) -> Page:
    """A page of all records there are."""
    found = _all(system, page)
    if not fields:
        return replace(found, records=[replace(record, fields={}) for record in found.records])
    return found


def _told(system: FakeSystem) -> float | None:
    width = system.knobs.tells_time
    if width is None:
        return None
    return system.clock // width * width if width else system.clock


def _page(system: FakeSystem, rows: Iterator[tuple[Record, Any]], skip: int = 0) -> Page:
    """The first rows of what is left, and where the next page begins: a place, or how many were passed over."""
    size = system.knobs.page_size
    found = list(islice(rows, skip, skip + size + 1))
    after = None
    if len(found) > size:
        after = json.dumps(skip + size if system.knobs.paging is Paging.OFFSET else found[size - 1][1])
    return Page([record for record, _ in found[:size]], after, now=_told(system))


def _read(page: str | None) -> Any:
    if page is None:
        return None
    try:
        return json.loads(page)
    except ValueError as error:
        raise Refused(f"'{page}' is no page of this system") from error


def _stamped(system: FakeSystem, since: float | str | None, page: str | None) -> Page:
    """By `(stamp, id)`, from a stamp on."""
    if isinstance(since, str):
        raise Refused(f"this feed begins at a stamp, not at '{since}'")
    place = _read(page)
    order = system.order
    offset = system.knobs.paging is Paging.OFFSET
    start = 0 if since is None else bisect_left(order, (since,))
    if place is not None and not offset:
        start = bisect_right(order, (float(place[0]), str(place[1]), 1 << 62))
    return _page(system, _shown(system, start), skip=place if offset and place else 0)


def _shown(system: FakeSystem, start: int) -> Iterator[tuple[Record, Any]]:
    """What the index has, from a place in the order on."""
    index = "changes" in system.knobs.lagging
    for stamp, own, number in islice(system.order, start, None):
        row = system.rows[own]
        state = system.listed(row, index=index, feed=True)
        if state is not None and state.number == number:
            yield system.record(row, state), (stamp, own)


def _tokened(system: FakeSystem, since: float | str | None, page: str | None) -> Page:
    """What changed since a token, each record once; from the beginning all records there are, and a token."""
    if isinstance(since, float | int):
        raise Refused(f"this feed begins at a token, not at {since}")
    start, end = _span(system, since, page)
    if since is None:
        found = _all(system, None if page is None else json.dumps(_read(page)["place"]))
    else:
        skip = 0 if page is None else int(_read(page)["place"])
        found = _page(system, _logged(system, start, end), skip)
        found = replace(found, next=None if found.next is None else json.dumps(skip + len(found.records)))
    if found.next is not None:
        return replace(found, next=json.dumps({"end": end, "place": json.loads(found.next)}))
    return replace(found, token=json.dumps({"end": end, "at": system.now()}))


def _span(system: FakeSystem, since: str | None, page: str | None) -> tuple[int, int]:
    """The first change that is new, as a place in the log, and the last one that the pages go to, as a number."""
    start = 0
    if since is not None:
        try:
            token = json.loads(since)
            start, issued = int(token["end"]), float(token["at"])
        except (ValueError, KeyError, TypeError) as error:
            raise FeedExpired(f"'{since}' is no token of this feed") from error
        life = system.knobs.token_life
        if life is not None and system.now() - issued > life:
            raise FeedExpired(f"the token is known for {life} s, and is {system.now() - issued:.0f} s old")
    end = _visible(system) if page is None else int(_read(page)["end"])
    return bisect_right(system.log, (start, _LAST)), end


def _visible(system: FakeSystem) -> int:
    """The number of the last change that the index has, and all before it."""
    if "changes" not in system.knobs.lagging or not system.knobs.lag:
        return system.log[-1][0] if system.log else 0
    now = system.now()
    late = [state.number for row in system.rows.values() for state in row.states if state.indexed > now]
    return min(late) - 1 if late else (system.log[-1][0] if system.log else 0)


def _logged(system: FakeSystem, start: int, end: int) -> Iterator[tuple[Record, Any]]:
    """The records that changed between, each at its last change, as they are now."""
    last = {own: number for number, own in islice(system.log, start, bisect_right(system.log, (end, _LAST)))}
    for own in sorted(last, key=lambda own: last[own]):
        row = system.rows[own]
        state = system.listed(row, index=False, feed=True)
        if state is not None:
            yield system.record(row, state), own


def _all(system: FakeSystem, page: str | None) -> Page:
    """By id; by offset the newest first."""
    place = _read(page)
    if system.knobs.paging is Paging.OFFSET:
        newest = sorted(system.rows.values(), key=lambda row: -row.made)
        return _page(system, _existing(system, iter(newest)), skip=place or 0)
    start = 0 if place is None else bisect_right(system.ids, str(place))
    return _page(system, _existing(system, (system.rows[own] for own in islice(system.ids, start, None))))


def _existing(system: FakeSystem, rows: Iterator[Row]) -> Iterator[tuple[Record, Any]]:
    index = "scan" in system.knobs.lagging
    for row in rows:
        state: State | None = system.listed(row, index=index)
        if state is not None:
            yield system.record(row, state), row.id
