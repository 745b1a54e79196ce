"""What one side says of a unit: its fields now, and as they were last reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from routekit.remotes import Fields, Record

from .state import Shadow
from .units import Side

EMPTY: tuple[Any, ...] = (None, "", [], {})
"""What says nothing; 0 and False do say something."""


@dataclass(frozen=True, slots=True)
class View:
    """A unit on one side."""

    value: dict[str, Any]
    """As it is now; a field that the report leaves out is as it was."""
    base: dict[str, Any]
    """As it was last reported."""
    changed: bool

    @property
    def empty(self) -> bool:
        """Whether none of the fields has a value, where 0 is one."""
        return all(empty(value) for value in self.value.values())


def other(side: Side) -> Side:
    """The side opposite."""
    return "b" if side == "a" else "a"


def empty(value: Any) -> bool:
    """Whether a value says nothing: None, an empty text, list or object; 0 is a value."""
    return value in EMPTY or (isinstance(value, str) and not value.strip())


def look(names: Sequence[str], record: Record | None, shadow: Shadow | None, *, fresh: bool = False) -> View:
    """Compare a report with what was reported before; without one, all is as it was.

    A field that is seen for the first time has not changed, unless the whole link is `fresh`: then what has a value
    is news, and what is empty says nothing. One that was never reported and is not now has nothing.
    """
    known: Fields = shadow.fields if shadow else {}
    reported: Fields = record.fields if record else {}
    base = {name: known[name] for name in names if name in known}
    value = base | {name: reported[name] for name in names if name in reported}
    if record is not None and not record.deleted and len(value) < len(names):
        value |= {name: None for name in names if name not in value}
    changed = any(_news(name, value[name], base, fresh) for name in value)
    return View(value, base, changed)


def _news(name: str, value: Any, base: dict[str, Any], fresh: bool) -> bool:
    return value != base[name] if name in base else fresh and not empty(value)
