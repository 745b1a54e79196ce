"""The position of a cursor: how far all rows are finished, whatever the order in which they finish."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Position: TypeAlias = tuple[Any, ...]
"""The value of the cursor column and those of the key: rows of equal time have different positions."""


class Watermark:
    """Follows rows from their delivery to their end; `position` is safe to start from after a crash.

    Positions are issued in the order of delivery. `position` is the last of those before the first that is
    unfinished, so it never passes a row that is in flight or was refused. `front` is the last one issued. Where late
    rows are remembered, so that they may be issued after higher ones, both are the highest, by the cursor column.

    >>> mark = Watermark()
    >>> for row in (1, 2, 3):
    ...     mark.issue((row,))
    >>> mark.finish((2,)), mark.position, mark.finish((1,)), mark.position
    (False, None, True, (2,))
    """

    def __init__(self, position: Position | None = None, *, remember: bool = False) -> None:
        """Start from `position`; with `remember`, finished rows are known until they are forgotten."""
        self.remember = remember
        self.position = position
        self.front = position
        self._open: dict[Position, bool] = {}  # in order of delivery; true once finished
        self._seen: set[Position] = set()

    def __contains__(self, position: Position) -> bool:
        """Whether the row was issued, and is unfinished or still remembered."""
        return position in self._open or position in self._seen

    def __len__(self) -> int:
        """How many rows are unfinished or wait behind one that is."""
        return len(self._open)

    def issue(self, position: Position) -> None:
        """A row is delivered for the first time."""
        self._open[position] = False
        self.front = self._later(self.front, position)

    def finish(self, position: Position) -> bool:
        """A row is done for good; true if `position` has moved."""
        self._open[position] = True
        moved = self.position
        for first in list(self._finished()):
            del self._open[first]
            if self.remember:
                self._seen.add(first)
            self.position = self._later(self.position, first)
        return self.position != moved

    def forget(self, below: Callable[[Position], bool]) -> None:
        """Remember no longer that these finished rows were seen."""
        self._seen = {position for position in self._seen if not below(position)}

    def _later(self, last: Position | None, next: Position) -> Position:
        # without late rows the database's own order counts: Python need not know how it sorts texts
        if self.remember and last is not None and in_order(last) > in_order(next):
            return last
        return next

    def _finished(self) -> Iterable[Position]:
        for position, finished in self._open.items():
            if not finished:
                return
            yield position


def in_order(position: Position) -> Position:
    """A position as one that compares as SQLite does: numbers, then texts, then bytes."""
    return tuple((2 if isinstance(value, bytes) else isinstance(value, str), value) for value in position)
