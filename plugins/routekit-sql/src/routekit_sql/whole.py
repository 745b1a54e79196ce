"""What one message does in a transaction, written for many at once: mark, rows, and messages for the outbox."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection

from .group import Unclear, changed
from .plan import Parameters
from .statements import Bound

REPEATED: Final = -1
"""The outcome of a message that had been marked before: nothing was changed."""


@dataclass(frozen=True, eq=False)
class Whole:
    """All of it is written, or none."""

    mark: Parameters | None
    rows: Sequence[Bound]
    outgoing: Sequence[Parameters]

    def __len__(self) -> int:
        return len(self.rows) + len(self.outgoing) + 1


@dataclass(frozen=True, eq=False)
class Writer:
    """Writes `Whole`s; as `Run`. `put` is called after messages were put into the outbox, in the transaction."""

    mark: str
    outgoing: str
    put: Callable[[Connection], None]

    def __call__(self, connection: Connection, units: Sequence[Whole], each: bool) -> Sequence[int]:
        if each or len(units) == 1:
            outcomes = [self._one(connection, unit) for unit in units]
        else:
            outcomes = self._all(connection, units)
        if any(unit.outgoing for unit, outcome in zip(units, outcomes, strict=True) if outcome != REPEATED):
            self.put(connection)
        return outcomes

    def _all(self, connection: Connection, units: Sequence[Whole]) -> Sequence[int]:
        """As long as no message comes again, which is the rule, it takes three statements for all."""
        marks = sorted(
            unit.mark for unit in units if unit.mark is not None
        )  # else two processes could block each other
        if marks and connection.exec_driver_sql(self.mark, marks).rowcount != len(marks):
            raise Unclear
        outcomes = changed(connection, [unit.rows for unit in units], False)
        self._send(connection, [one for unit in units for one in unit.outgoing])
        return outcomes

    def _one(self, connection: Connection, unit: Whole) -> int:
        if unit.mark is not None and not connection.exec_driver_sql(self.mark, [unit.mark]).rowcount:
            return REPEATED
        [outcome] = changed(connection, [unit.rows], True)
        self._send(connection, unit.outgoing)
        return outcome

    def _send(self, connection: Connection, outgoing: Sequence[Parameters]) -> None:
        if outgoing:
            connection.exec_driver_sql(self.outgoing, list(outgoing))
