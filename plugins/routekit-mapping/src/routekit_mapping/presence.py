"""Presence: absent, null and empty are three things, and a value is a fourth."""

from enum import Enum, StrEnum
from typing import Final


class Missing(Enum):
    """The type of `MISSING`: what a record does not say anything about."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing.MISSING
"""A field that is not there: it says nothing, and a mapping leaves alone what it would go to."""


class Presence(StrEnum):
    """What a record says with a field."""

    MISSING = "missing"
    """Nothing: it is not there."""
    NULL = "null"
    """That there is no value: it was cleared."""
    EMPTY = "empty"
    """An empty text or list, which is a value."""
    VALUE = "value"


def presence(value: object) -> Presence:
    """Which of the four a value is; `0` and `False` are values.

    >>> [presence(value).value for value in (MISSING, None, "", [], 0, "x")]
    ['missing', 'null', 'empty', 'empty', 'value', 'value']
    """
    if value is MISSING:
        return Presence.MISSING
    if value is None:
        return Presence.NULL
    return Presence.EMPTY if is_empty(value) else Presence.VALUE


def is_empty(value: object) -> bool:
    """Whether it is an empty text or an empty list."""
    return isinstance(value, str | list | tuple) and not value
