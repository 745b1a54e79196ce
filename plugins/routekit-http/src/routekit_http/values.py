"""Values as HTTP writes them: in paths, queries, forms and headers."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Any, cast

from pydantic import BeforeValidator

from .errors import HttpRejected

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _pairs(given: object) -> object:
    if not isinstance(given, Mapping):
        return given
    return tuple((name, str(value)) for name, value in cast("Mapping[str, object]", given).items())


Pairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)]
"""An option that is a table of texts, hashable."""

TRACING = ("traceparent", "tracestate")
"""Headers that say where a trace goes on: https://www.w3.org/TR/trace-context/."""

OWN = frozenset({"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "keep-alive"})
"""Headers that belong to the connection and not to a request."""


def text_of(value: object) -> str:
    """One value as text.

    >>> text_of(True), text_of(date(2026, 1, 2)), text_of(7)
    ('true', '2026-01-02', '7')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return text_of(value.value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    return str(value)


def pairs_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names with their values: a list is several of them, None is none.

    >>> pairs_of({"tag": ["a", "b"], "page": 2, "after": None})
    [('tag', 'a'), ('tag', 'b'), ('page', '2')]
    """
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        for one in cast("Iterable[object]", value) if isinstance(value, list | tuple | set | frozenset) else [value]:
            if one is not None:
                found.append((name, text_of(one)))
    return found


def headers_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers that may be sent; raises HttpRejected for one that would say something else than one header."""
    found = [(name.lower(), text) for name, text in pairs_of(values)]
    for name, text in found:
        if not _NAME.fullmatch(name) or _CONTROL.search(text) or not text.isascii():
            hint = "its value must be one line of ASCII text"
            raise HttpRejected(f"header {name[:40]!a} cannot be sent", hint=hint)
        if name in OWN:
            raise HttpRejected(f"header '{name}' is the connection's own", hint="leave it out")
    return found
