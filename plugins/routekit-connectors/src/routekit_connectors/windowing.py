"""Paging for searches that give no more than so many rows, however one pages: by windows of a key, and of ids in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from routekit_http import found_at

from .answers import Answer
from .paging import Ask, Position


@dataclass(frozen=True)
class Windowed:
    """By key, such as a time of change, and inside of one key by id; rows come in the order of both.

    It ends with all rows also if far more of them than a search gives have the same key, and misses none that is there
    throughout; one that is edited meanwhile comes again, at its new key. It takes two calls for a page.
    """

    since: str
    """The parameter for rows whose key is this or later."""
    beyond: str
    """The one for rows whose key is later than this."""
    id_after: str
    """The one for rows whose id is later than this; together with `since`."""
    key: str
    """Where a row has its key."""
    id: str = "id"
    size_param: str = "limit"
    size: int = 100

    def ask(self, position: Position) -> Ask:
        """The rows of this window."""
        size = {self.size_param: self.size}
        if position is None:
            return Ask(size)
        if "id" in position:
            return Ask({**size, self.since: position["key"], self.id_after: position["id"]})
        return Ask({**size, self.beyond: position["key"]})

    def fresh(self, position: Position, rows: Sequence[Any]) -> Sequence[Any]:
        """Inside of a key only its rows: later keys have rows with smaller ids too, and come by themselves."""
        return self._inside(position, rows) if position is not None and "id" in position else rows

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """The rest of the last key, or what is beyond it."""
        taken = self.fresh(position, rows)
        if position is not None and "id" in position and len(taken) < self.size:
            return {"key": position["key"]}
        if len(rows) < self.size:
            return None
        return {"key": found_at(rows[-1], self.key), "id": found_at(rows[-1], self.id)}

    def _inside(self, position: Position, rows: Sequence[Any]) -> Sequence[Any]:
        return [row for row in rows if found_at(row, self.key) == position["key"]]
