"""Formats: which numbers of a workbook are dates, times or durations, as their format says."""

import re
from datetime import date, datetime, time, timedelta
from typing import Literal

from .markup import Part

Format = Literal["number", "date", "time", "both", "duration"]

_KNOWN: dict[int, Format] = {
    **dict.fromkeys([14, 15, 16, 17, *range(27, 32), 36, *range(50, 59)], "date"),
    **dict.fromkeys([18, 19, 20, 21, 32, 33, 34, 35, 45, 47], "time"),
    22: "both",
    46: "duration",
}
"""The formats that are known by their number (ECMA-376, 18.8.30)."""

_NO_PART = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)

_EPOCH_1900 = datetime(1899, 12, 30)
_EPOCH_1904 = datetime(1904, 1, 1)
_NO_LEAP_DAY = 60
"""In its calendar 1900 is a leap year: before this day, everything is a day later."""


def format_of(code: str) -> Format:
    """What a number of that format is.

    >>> format_of("yyyy-mm-dd"), format_of('[Red]0.00" days"'), format_of("[h]:mm"), format_of("h:mm AM/PM")
    ('date', 'number', 'duration', 'time')
    """
    first = _NO_PART.sub("", code.split(";")[0]).lower()
    if _ELAPSED.search(first):
        return "duration"
    if "general" in first:
        return "number"
    day = "y" in first or "d" in first or ("m" in first.replace("am/pm", "") and "h" not in first and "s" not in first)
    clock = "h" in first or "s" in first
    return "both" if day and clock else "date" if day else "time" if clock else "number"


class Formats(Part):
    """The format of each style of a cell."""

    def __init__(self) -> None:
        self.found: list[Format] = []
        self._own: dict[int, Format] = {}
        self._cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self._own[int(attributes.get("numFmtId", "0"))] = format_of(attributes.get("formatCode", ""))
        elif name == "cellXfs":
            self._cells = True
        elif name == "xf" and self._cells:
            number = int(attributes.get("numFmtId", "0"))
            self.found.append(self._own.get(number) or _KNOWN.get(number, "number"))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._cells = False


def moment(days: float, kind: Format, *, since_1904: bool) -> date | datetime | time | timedelta | float:
    """The moment that a number of days means, to the millisecond; a number that can be none stays one."""
    try:
        span = timedelta(days=int(days), milliseconds=round((days - int(days)) * 86_400_000))
        if kind == "duration":
            return span
        if days < 0:
            return days
        if kind == "time" and span < timedelta(days=1):
            return (datetime.min + span).time()
        if not since_1904 and days < _NO_LEAP_DAY:
            span += timedelta(days=1)
        found = (_EPOCH_1904 if since_1904 else _EPOCH_1900) + span
    except (OverflowError, ValueError):
        return days
    return found.date() if kind == "date" and found.time() == time() else found


def days_of(value: date | datetime | time | timedelta) -> float | None:
    """The number that stands for a moment in a workbook; None for one that its calendar does not have."""
    if isinstance(value, timedelta):
        return value / timedelta(days=1)
    if isinstance(value, time):
        return (datetime.combine(date.min, value) - datetime.min) / timedelta(days=1)
    given = value if isinstance(value, datetime) else datetime.combine(value, time())
    days = (given - _EPOCH_1900) / timedelta(days=1)
    return days if days > _NO_LEAP_DAY else None
