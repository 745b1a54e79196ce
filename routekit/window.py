"""Windows of time in which a route runs, by the clock on the wall of a stated zone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from .errors import DefinitionError, did_you_mean

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = re.compile(r"(\d\d?):(\d\d)")
_AHEAD = 16
"""Days to look ahead for a change: a week, and another if its only hour falls into the gap of daylight saving."""


@dataclass(frozen=True)
class Window:
    """Open from `start` to `end` (exclusive) on some `days`, whenever the clock on the wall of `zone` says so.

    Times are written `08:00`, and `24:00` for the end of the day; an end before the start is on the next day, and the
    window belongs to the day on which it begins. Days are written `mon-fri` or `sat,sun`. With daylight saving, an
    hour that is skipped in spring is not there, and one that comes twice in autumn counts twice.
    """

    start: str
    end: str
    days: str = "mon-sun"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        asked = f"Window('{self.start}', '{self.end}')"
        if _minutes(self.start) == 24 * 60:
            raise DefinitionError(f"{asked} begins at 24:00", hint="write 00:00 of the next day")
        if _minutes(self.start) == _minutes(self.end):
            raise DefinitionError(f"{asked} is never open", hint="for the whole day write '00:00', '24:00'")
        _days(self.days)
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            hint = "write a name such as Europe/Berlin"
            raise DefinitionError(f"'{self.zone}' is no time zone", hint=hint) from None

    def __str__(self) -> str:
        days = "" if self.days == "mon-sun" else f"{self.days} "
        return f"{days}{self.start}-{self.end} {self.zone}"

    def is_open(self, when: float) -> bool:
        """Whether it is open at that time, in seconds since 1970."""
        local = datetime.fromtimestamp(when, self._zone)
        minute = local.hour * 60 + local.minute
        today, yesterday = local.weekday() in self._on, (local.weekday() - 1) % 7 in self._on
        if self._from < self._to:
            return today and self._from <= minute < self._to
        return (today and minute >= self._from) or (yesterday and minute < self._to)

    def moments(self, when: float) -> Iterator[float]:
        """The times after `when` at which it may open or close: its limits, and the changes of daylight saving."""
        local = datetime.fromtimestamp(when, self._zone)
        days = [local.date() + timedelta(days=number) for number in range(-1, _AHEAD)]
        found = {moment for day in days for moment in self._moments(day) if moment > when}
        yield from sorted(found)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def _from(self) -> int:
        return _minutes(self.start)

    @cached_property
    def _to(self) -> int:
        return _minutes(self.end)

    @cached_property
    def _on(self) -> frozenset[int]:
        return _days(self.days)

    def _moments(self, day: date) -> Iterator[float]:
        midnight = datetime(day.year, day.month, day.day)
        for minute in (self._from, self._to):
            for fold in (0, 1):  # a time that comes twice begins or ends the window twice
                yield (midnight + timedelta(minutes=minute)).replace(tzinfo=self._zone, fold=fold).timestamp()
        first = midnight.replace(tzinfo=self._zone).timestamp()
        yield from _shift(first, first + 86400, self._zone)


def open_now(windows: Iterable[Window], when: float) -> bool:
    """Whether one of the windows is open; always, if there are none."""
    those = tuple(windows)
    return not those or any(window.is_open(when) for window in those)


def next_change(windows: Iterable[Window], when: float) -> float | None:
    """When `open_now` will next be otherwise; None if it will not within two weeks."""
    those = tuple(windows)
    now = open_now(those, when)
    moments = sorted({moment for window in those for moment in window.moments(when)})
    return next((moment for moment in moments if open_now(those, moment) is not now), None)


def _shift(first: float, last: float, zone: ZoneInfo) -> Iterator[float]:
    """The moment between two times at which the zone's clocks are changed, if they are."""

    def offset(when: float) -> timedelta | None:
        return datetime.fromtimestamp(when, UTC).astimezone(zone).utcoffset()

    before = offset(first)
    if before == offset(last):
        return
    low, high = int(first), int(last)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == before else (low, middle)
    yield float(high)


def _minutes(time: str) -> int:
    """Minutes since midnight.

    >>> _minutes("08:30"), _minutes("24:00")
    (510, 1440)
    """
    found = _TIME.fullmatch(time)
    minutes = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < 60 else None
    if minutes is None or minutes > 24 * 60:
        raise DefinitionError(f"'{time}' is no time of the day", hint="write it as 08:00")
    return minutes


def _days(days: str) -> frozenset[int]:
    """Weekdays, Monday being 0.

    >>> sorted(_days("fri-mon")), sorted(_days("tue,thu"))
    ([0, 4, 5, 6], [1, 3])
    """
    found: set[int] = set()
    for part in days.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        begin, end = _day(first), _day(last or first)
        found |= {(begin + number) % 7 for number in range((end - begin) % 7 + 1)}
    return frozenset(found)


def _day(name: str) -> int:
    if name not in DAYS:
        hint = did_you_mean(name, DAYS) if name else "write days as mon-fri or sat,sun"
        raise DefinitionError(f"'{name}' is no day of the week", hint=hint)
    return DAYS.index(name)
