"""Figures: what endpoints count for whoever looks, read when somebody does; a message pays nothing for them."""

import logging
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from .errors import DefinitionError

_log = logging.getLogger("routekit.figures")

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

Readers: TypeAlias = Mapping[str, Callable[[], float]]
"""How the figures of an endpoint are read, by their names: snake_case, counters end with `_total`, units are named as
`_seconds` and `_bytes`; all others tell what is so now."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, as it was when it was read; `endpoint` is its URI, secrets masked."""

    route: str
    endpoint: str
    name: str
    value: float


class Figures:
    """The figures of the routes of one service."""

    def __init__(self) -> None:
        self._shown: dict[str, dict[object, tuple[str, Readers]]] = {}

    @contextmanager
    def shown(self, route: str, endpoint: str, readers: Readers) -> Generator[None]:
        """Let these figures be read while inside; raises DefinitionError for a name that no monitor would take."""
        for name in readers:
            if not _NAME.fullmatch(name):
                raise DefinitionError(f"'{name}' is no name for a figure", hint="write it like 'connections_total'")
        key = object()
        shown = self._shown.setdefault(route, {})
        shown[key] = (endpoint, readers)
        try:
            yield
        finally:
            del shown[key]
            if not shown and self._shown.get(route) is shown:
                del self._shown[route]

    def read(self, route: str | None = None) -> Sequence[Figure]:
        """All figures of a route, or of all, one route after the other, in the order in which they were first shown.

        One that cannot be read is left out and told in the log: who watches must not break what is watched.
        """
        found: list[Figure] = []
        for shown_by in list(self._shown) if route is None else [route]:
            for endpoint, readers in self._shown.get(shown_by, {}).values():
                found += _read(shown_by, endpoint, readers)
        return found


def _read(route: str, endpoint: str, readers: Readers) -> list[Figure]:
    found: list[Figure] = []
    for name, read in readers.items():
        try:
            found.append(Figure(route, endpoint, name, float(read())))
        except Exception:  # a stranger's function may raise anything
            _log.exception("the figure '%s' of %s cannot be read", name, endpoint)
    return found
