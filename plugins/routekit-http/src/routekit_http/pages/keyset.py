"""Paging by the values of the last row: what has changed since then. The position holds for ever, over restarts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routekit import BodyError, DefinitionError

from .paging import Ask, Next, Page, Position
from .pointers import found_at


@dataclass(frozen=True)
class Keyset:
    """Rows from a key on, such as a time of change; those at the key itself that have come already are left out.

    So it does not matter whether the API takes the key as "from" or "after". `keys` maps parameters to places in a
    row; rows must come in the order of those. A page has `size` rows at most.
    """

    keys: tuple[tuple[str, str], ...]
    id: str
    size: int

    def ask(self, position: Position | None) -> Ask:
        """The rows from this key on."""
        return Ask({} if position is None else dict(zip((name for name, _ in self.keys), position["key"], strict=True)))

    def fresh(self, position: Position | None, rows: Sequence[Any]) -> Sequence[Any]:
        """Those that are not remembered from an earlier page."""
        seen = set[str]() if position is None else set(position["seen"])
        return [row for row in rows if row_id(row, self.id) not in seen]

    def after(self, position: Position | None, page: Page) -> Next:
        """From the key of the last row on."""
        rows = page.rows
        full = len(rows) >= self.size
        if not rows:
            return Next(position)
        if not self.fresh(position, rows):
            if full:
                found = f"a whole page of {len(rows)} rows has one key, and has come already"
                raise DefinitionError(found, hint="raise size, or add a key that tells the rows apart")
            return Next(position)
        key = self._key(rows[-1])
        if position is not None:
            _check_order(position["key"], key)
        seen = [row_id(row, self.id) for row in rows if self._key(row) == key]
        if position is not None and position["key"] == key:
            seen = list(dict.fromkeys([*position["seen"], *seen]))
        return Next({"key": key, "seen": seen}, more=full)

    def _key(self, row: Any) -> list[Any]:
        key = [found_at(row, place) for _, place in self.keys]
        for (_, place), value in zip(self.keys, key, strict=True):
            if not isinstance(value, str | int | float):
                raise BodyError(f"the key is {value!r}", column=place, hint="keys are texts or numbers in every row")
        return key


def row_id(row: Any, place: str) -> str:
    """What a row is known by: the value at a place, or the whole row if there is none."""
    value = found_at(row, place) if place and isinstance(row, Mapping) else None
    return str(value) if value is not None else json.dumps(row, sort_keys=True, default=str)


def _check_order(before: Sequence[Any], now: Sequence[Any]) -> None:
    for old, new in zip(before, now, strict=True):
        if type(old) is not type(new) or new > old:
            return
        if new < old:
            found = f"the rows are not in the order of their key: {new!r} comes after {old!r}"
            raise DefinitionError(found, hint="ask the API for that order, query.sort=...")
