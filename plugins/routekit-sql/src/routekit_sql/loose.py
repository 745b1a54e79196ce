"""A value of a body for a server that makes values fit by itself: what it would round or guess is refused before."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Boolean, Column, DateTime, Time
from sqlalchemy.types import Integer, NullType

from .texts import text_of
from .values import needs_json, refuse

PLAIN: Final = frozenset({type(None)})
"""The types that need no look at their values."""
_WHOLE: Final = re.compile(r"\s*[+-]?\d+\s*")
_YES_OR_NO: Final = {"1": "1", "0": "0", "true": "1", "false": "0"}


def loose_text_of(value: Any, column: Column[Any]) -> Any:
    """The value as text, or as it is for a parameter of no column; raises BodyError for one that would be changed.

    As `text_of`, and besides: numbers with a fraction do not go into columns of whole numbers, columns of booleans take
    only those, and texts of times with an offset become UTC, since the columns keep none.
    """
    kind = column.type
    if value is None or needs_json(column):
        return text_of(value, column)
    if isinstance(kind, NullType) and isinstance(value, int | float | Decimal):
        return value if value == value else refuse(value, column, "NaN cannot be stored")
    if isinstance(kind, Time) and isinstance(value, timedelta):
        return _clock(value)
    if isinstance(kind, DateTime) and type(value) is str:
        return _in_utc(value)
    found = text_of(value, column)
    if isinstance(kind, Boolean):
        return _YES_OR_NO.get(str(found).lower()) or refuse(value, column, "it is neither true nor false")
    if isinstance(kind, Integer) and not _WHOLE.fullmatch(str(found)):
        return refuse(value, column, "it is no whole number")
    return found


def _clock(span: timedelta) -> str:
    """A span in the form of a TIME column.

    >>> _clock(timedelta(days=1, seconds=62)), _clock(-timedelta(microseconds=5))
    ('24:01:02.000000', '-00:00:00.000005')
    """
    seconds, micros = divmod(abs(span) // timedelta(microseconds=1), 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{'-' if span < timedelta() else ''}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}"


def _in_utc(text: str) -> str:
    """A time with an offset as one in UTC without; what is none stays as it is.

    >>> _in_utc("2026-11-21T04:05:06+01:00"), _in_utc("2026-11-21T04:05:06Z"), _in_utc("soon")
    ('2026-11-21 03:05:06', '2026-11-21 04:05:06', 'soon')
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
