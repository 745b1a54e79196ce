"""A position as text, so that it can be kept, and the one that lies somewhat below."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any, Final
from uuid import UUID

from routekit import DefinitionError

from .table import Columns
from .watermark import Position

_KINDS: Final[Mapping[str, tuple[type, Callable[[str], Any]]]] = {
    "datetime": (datetime, datetime.fromisoformat),
    "date": (date, date.fromisoformat),
    "decimal": (Decimal, Decimal),
    "uuid": (UUID, UUID),
}
"""What JSON has no value for, by the name under which it is written; the first that fits counts."""


def written(position: Position | None, order: Columns, label: str) -> str:
    """The position as text; raises DefinitionError for values that cannot be kept."""
    try:
        return json.dumps({"columns": list(order), "values": position}, default=_plain)
    except TypeError:
        hint = "cursor and key must be numbers, texts, times or UUIDs"
        raise DefinitionError(f"{label}: the position {position!r} cannot be kept", hint=hint) from None


def read(kept: str, order: Columns, label: str) -> Position:
    """The position that was kept; raises DefinitionError if it is of other columns."""
    found = json.loads(kept)
    if found["columns"] != list(order):
        raise DefinitionError(
            f"{label}: the position that was kept is of {', '.join(found['columns'])}, not of {', '.join(order)}",
            hint="give the cursor another name=, or the columns that it had",
        )
    return tuple(_value(value) for value in found["values"])


def _plain(value: object) -> Mapping[str, str]:
    for name, (kind, _) in _KINDS.items():
        if isinstance(value, kind):
            return {name: str(value)}
    raise TypeError


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    [(name, text)] = value.items()  # pyright: ignore[reportUnknownVariableType]  # JSON
    return _KINDS[str(name)][1](str(text))  # pyright: ignore[reportUnknownArgumentType]  # JSON


def before(value: Any, overlap: float, label: str) -> Any:
    """The value of a cursor that lies `overlap` below this one, in seconds or in numbers.

    >>> before(100, 30, ""), before("2026-11-21T04:00:00Z", 30, ""), before("2026-11-21", 30, "")
    (70, '2026-11-21T03:59:30+00:00', '2026-11-20')
    >>> before(date(2026, 11, 21), 30, ""), before(Decimal("1.5"), 1, "")
    (datetime.date(2026, 11, 20), Decimal('0.5'))
    """
    if isinstance(value, int | float):
        return value - overlap
    if isinstance(value, Decimal):
        return value - Decimal(str(overlap))
    if isinstance(value, datetime):
        return value - timedelta(seconds=overlap)
    if isinstance(value, date):
        return value - timedelta(days=ceil(overlap / 86400))
    try:
        moment = datetime.fromisoformat(value) - timedelta(seconds=overlap)
    except (TypeError, ValueError, OverflowError):
        hint = "overlap needs a cursor of numbers or of times such as 2026-11-21T04:00:00"
        raise DefinitionError(f"{label}: no overlap before the cursor's value {value!r}", hint=hint) from None
    return moment.isoformat(value[10:11] or "T")[: 10 if len(value) == 10 else None]
