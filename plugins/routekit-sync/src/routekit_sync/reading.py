"""Reading what a side has: its feed from the cursor on, or all of it, page by page, and how far that brings it."""

import json
from array import array
from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import anyio

from routekit.remotes import Busy, Feed, Page, Record, Refused

from .calling import Calls
from .kept import Cursor

_TRIES = 5
_MOST_WAIT = 60.0
_BOUNDARY = 2000
"""More records at the boundary than this are not remembered: they are compared again."""


@dataclass(frozen=True, slots=True)
class Look:
    """Some records of a side, and its cursor once they have been dealt with; None: it does not move yet."""

    records: Sequence[Record]
    cursor: Cursor | None = None


class Ids:
    """The ids of a whole side in 8 bytes each: two that have the same digest count as one, and so as there."""

    def __init__(self) -> None:
        self._digests = array("Q")
        self._sorted = True

    def add(self, ids: Iterable[str]) -> None:
        """Note these ids."""
        self._digests.extend(_eight(each) for each in ids)
        self._sorted = False

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def size(self) -> int:
        """The bytes that they take."""
        return len(self._digests) * self._digests.itemsize

    def __contains__(self, id: str) -> bool:
        if not self._sorted:
            self._digests, self._sorted = array("Q", sorted(self._digests)), True
        place, wanted = bisect_left(self._digests, _eight(id)), _eight(id)
        return place < len(self._digests) and self._digests[place] == wanted


async def feed(calls: Calls, cursor: Cursor, now: Callable[[], float]) -> AsyncGenerator[Look]:
    """What has changed since the cursor; raises `FeedExpired` if the side does not know it any more."""
    pages = _tokened if calls.abilities.feed is Feed.TOKEN else _stamped
    async for look in pages(calls, cursor, now):
        yield look


async def _stamped(calls: Calls, cursor: Cursor, now: Callable[[], float]) -> AsyncGenerator[Look]:
    """Each page begins at the last stamp of the one before, so rows that shift meanwhile are not missed.

    Only where one stamp fills a page, the side's own pages are followed through it.
    """
    overlap = calls.abilities.overlap + cursor.overlap
    at = None if cursor.value is None else cursor.value - overlap
    place: str | None = None
    told: float | None = None
    top = cursor.value
    seen = dict(cursor.boundary)
    turned = _Turned()
    while True:
        page = await calls.changes(at, place)
        told = page.now if told is None else told
        fresh = [each for each in page.records if seen.get(each.id) != _mark(each)]
        stamps = [each.stamp for each in page.records if each.stamp is not None]
        last = max(stamps, default=None)
        top = _latest(top, last)
        seen = seen | {each.id: _mark(each) for each in fresh}  # the cursors that were given keep theirs
        floor = None if top is None else top - overlap
        seen = _within(seen, floor)
        if page.next is None:
            end = _latest(cursor.value, top if told is None else told)
            boundary = _within(seen, None if end is None else end - overlap)
            yield Look(fresh, _moved(cursor, now, value=end, boundary=boundary, complete=True))
            return
        yield Look(fresh, _moved(cursor, now, value=_latest(cursor.value, top), boundary=seen))
        if last is not None and (at is None or last > at):
            at, place, turned = last, None, _Turned()
        else:
            place = turned.checked(page.next)


async def _tokened(calls: Calls, cursor: Cursor, now: Callable[[], float]) -> AsyncGenerator[Look]:
    place = cursor.page
    turned = _Turned()
    while True:
        page = await _resumed(calls, cursor.token, place, cursor.page)
        if page.next is None:
            token = page.token or cursor.token
            yield Look(page.records, _moved(cursor, now, token=token, page=None, complete=True))
            return
        place = turned.checked(page.next)
        yield Look(page.records, _moved(cursor, now, page=place))


async def _resumed(calls: Calls, token: str | None, place: str | None, kept: str | None) -> Page:
    """A page; the one where an earlier reading ended may not be known any more: then it begins anew."""
    try:
        return await calls.changes(token, place)
    except Refused:
        if place is None or place != kept:
            raise
        return await calls.changes(token, None)


async def everything(calls: Calls, ids: Ids, *, fields: bool = True) -> AsyncGenerator[Sequence[Record]]:
    """All records of a side; their ids are noted."""
    place: str | None = None
    turned = _Turned()
    while True:
        page = await _patiently(calls, place, fields)
        ids.add(each.id for each in page.records if not each.deleted)
        yield page.records
        if page.next is None:
            return
        place = turned.checked(page.next)


async def _patiently(calls: Calls, place: str | None, fields: bool) -> Page:
    """A page of a scan: a side that is busy for a while is waited for, as half a scan is worth nothing."""
    for _ in range(_TRIES):
        try:
            return await calls.scan(place, fields=fields)
        except Busy as busy:
            if busy.after > _MOST_WAIT:
                raise
            calls.trouble = None
            await anyio.sleep(max(busy.after, 0.05))
    return await calls.scan(place, fields=fields)


class _Turned:
    """The pages of one reading: one that leads back to itself would never end."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def checked(self, place: str) -> str:
        own = _eight(place)
        if own in self._seen:
            raise Refused(f"the page '{place}' leads back to itself", hint="the connector's paging does not get on")
        self._seen.add(own)
        return place


def anew(cursor: Cursor) -> Cursor:
    """The cursor of a side whose feed has to be begun anew."""
    return cursor.model_copy(
        update={"token": None, "value": None, "page": None, "boundary": {}, "epoch": cursor.epoch + 1}
    )  # fmt: skip


def _moved(cursor: Cursor, now: Callable[[], float], **changes: object) -> Cursor:
    return cursor.model_copy(update={**changes, "obtained": now()})


def _latest(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _mark(record: Record) -> str:
    """What tells one state of a record from others: a coarse version or stamp alone may be that of two."""
    content = json.dumps([record.version, record.deleted, record.fields], sort_keys=True, default=str)
    return f"{_eight(content):x}@{record.stamp!r}"


def _within(seen: dict[str, str], floor: float | None) -> dict[str, str]:
    """Those that a look that begins at `floor` would show again."""
    near = seen if floor is None else {each: mark for each, mark in seen.items() if _stamp(mark) >= floor}
    return near if len(near) <= _BOUNDARY else {}


def _stamp(mark: str) -> float:
    text = mark.rpartition("@")[2]
    return float("-inf") if text == "None" else float(text)


def _eight(id: str) -> int:
    return int.from_bytes(blake2b(id.encode(), digest_size=8).digest(), "big")
