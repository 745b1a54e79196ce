"""Who answers what: the routes of one address, by method and path."""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from routekit import DefinitionError

from .openapi import Description
from .templates import Template, segments_of

Answer = Callable[[Any, Mapping[str, str]], Awaitable[Any]]
"""What answers a request with a Response, or talks over a WebSocket, given what stands at the names of its path."""
SOCKET = "WEBSOCKET"
"""The method, so to speak, of those that are no requests."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What one route answers."""

    route: str
    methods: tuple[str, ...]
    template: Template
    answer: Answer
    description: Description | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a request is for: an entry, or only what would be allowed; `away` if a route answers it at other times."""

    entry: Entry | None
    params: Mapping[str, str]
    allowed: tuple[str, ...] = ()
    away: bool = False


class Table:
    """The entries of one address. Those that were there once are remembered: their route will be back."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.fixed: dict[tuple[str, bytes], Entry] = {}
        """Those that answer exactly one path, by method and path: most."""
        self._known: dict[tuple[str, str], Template] = {}

    @contextmanager
    def entered(self, entry: Entry) -> Generator[None]:
        """Answer, inside the block; raises DefinitionError if another route answers the same."""
        for other in self.entries:
            twice = set(other.methods) & set(entry.methods)
            if other.template.shape == entry.template.shape and twice:
                found = f"routes {other.route} and {entry.route} both answer {sorted(twice)[0]} {entry.template.text}"
                raise DefinitionError(found, hint="give one of them another path or method")
        self.entries = sorted([*self.entries, entry], key=lambda one: one.template.rank)
        self._know(entry)
        try:
            yield
        finally:
            self.entries = [other for other in self.entries if other is not entry]
            self.fixed = {key: other for key, other in self.fixed.items() if other is not entry}

    def find(self, method: str, raw_path: bytes) -> Found:
        """What a request is for."""
        segments = segments_of(raw_path)
        allowed: set[str] = set()
        for entry in self.entries:
            params = entry.template.match(segments)
            if params is None:
                continue
            if method in entry.methods or (method == "HEAD" and "GET" in entry.methods):
                return Found(entry, params)
            allowed |= {*entry.methods, *(("HEAD",) if "GET" in entry.methods else ())}
        known = {name for (name, _), template in self._known.items() if template.match(segments) is not None}
        away = method in known or (method == "HEAD" and "GET" in known)
        return Found(None, {}, tuple(sorted(allowed)), away)

    def _know(self, entry: Entry) -> None:
        for method in entry.methods:
            self._known[method, entry.template.shape] = entry.template
            if entry.template.fixed and "%" not in entry.template.text:
                self.fixed[method, entry.template.text.encode()] = entry
