"""Secrecy: values that this process knows to be secret, so that no text shows them, whatever their settings are called.

What is secret is so for the whole process: a text does not say which settings it was made with, and one that is masked
once too often is no harm. So this is the one thing that is kept for all, and it is never emptied.
"""

import json
import re
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"

SHORTEST: Final = 4
"""Letters of the shortest secret that is hidden within other texts: `1` would hide half of them."""

GUESSED: Final = 8
"""The same where only a name says that a value is secret, and the value may be a common word."""


class _Known:
    """The values, and the pattern that finds all their forms."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Take in one more."""
        if value in self.values:
            return
        values = {*self.values, value}
        forms = sorted({form for one in values for form in _forms(one)}, key=len, reverse=True)
        self.values, self.pattern = values, re.compile("|".join(map(re.escape, forms)))


_known = _Known()


def keep_secret(value: str, *, guessed: bool = False) -> bool:
    """Let a value be hidden from now on; False if it is too short to be. Its lines are secrets of their own.

    `guessed`: only the name of a setting says that it is secret.
    """
    value = value.strip()
    least = GUESSED if guessed else SHORTEST
    if len(value) < least:
        return False
    for part in {value, *(line.strip() for line in value.splitlines())}:
        if len(part) >= max(least, SHORTEST if part == value else GUESSED):
            _known.add(part)
    return True


def is_secret(value: str) -> bool:
    """Whether a text is, or holds, a value that is known to be secret."""
    return _known.pattern is not None and _known.pattern.search(value) is not None


def hidden(text: str) -> str:
    """A text without the values that are known to be secret, as they are or as they stand in a URI or in JSON.

    >>> keep_secret("s3cr3t&more")
    True
    >>> hidden("amqp://me:s3cr3t%26more@host and s3cr3t&more")
    'amqp://me:***@host and ***'
    """
    pattern = _known.pattern
    return text if pattern is None else pattern.sub(MASK, text)


def _forms(value: str) -> set[str]:
    """How a value may stand in a text."""
    quoted = {quote(value, safe="/"), quote(value, safe=""), quote_plus(value)}
    return {value, *quoted, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
