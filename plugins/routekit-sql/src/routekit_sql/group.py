"""Group commit: what many senders bring while a commit is under way goes into the next one, together."""

from collections.abc import Callable, Sequence, Sized
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import anyio
from sqlalchemy.engine import Connection

from routekit import BodyError, Unavailable

from .database import Database, transaction
from .plan import Parameters, Plan
from .statements import Bound

Unit: TypeAlias = Sequence[Bound]
"""The rows of one message: all of them are stored, or none."""

Run: TypeAlias = Callable[[Connection, Sequence[Any], bool], Sequence[int]]
"""Writes units in their order, each by itself if wanted; how many rows each changed. Raises `Unclear` if it does not
know that, and units have not been written each by itself."""


@dataclass(eq=False)
class _Batch:
    """Units that are committed together. An outcome is the number of rows changed, or what was wrong with the unit."""

    units: list[Any] = field(default_factory=list[Any])
    rows: int = 0
    outcomes: dict[int, int | Exception] = field(default_factory=dict[int, "int | Exception"])
    error: Exception | None = None
    done: anyio.Event = field(default_factory=anyio.Event)
    full: anyio.Event = field(default_factory=anyio.Event)

    def outcome(self, number: int) -> int:
        """The number of rows that a unit changed; raises what it failed with."""
        outcome = self.outcomes.get(number)
        if isinstance(outcome, int):
            return outcome
        if outcome is not None:
            raise outcome
        if self.error is None:
            raise Unavailable("the write was cut off", hint="its outcome is not known")
        raise copy(self.error) from self.error  # one for each sender: they must not share a traceback


class Unclear(Exception):
    """The statement changed fewer rows than it was given, and which is not known."""


class GroupCommit:
    """Writes units for many senders at once.

    Who brings the first unit of a batch writes it for all: while it waits for its turn, others join. There is no
    background task, and no timer unless `linger` asks for one: a lone sender waits for nothing but its own commit. A
    sender that is cancelled while it waits leaves its unit in the batch.
    """

    def __init__(self, database: Database, most: int, linger: float = 0.0, *, run: "Run | None" = None) -> None:
        self._database = database
        self._most = most
        self._linger = linger
        self._run = run or changed
        self._open = _Batch()
        self._rows = self._commits = self._refused = 0

    def figures(self) -> dict[str, Callable[[], float]]:
        """What it counts, for `metered`."""
        return {
            "waiting": lambda: self._open.rows,
            "rows_total": lambda: self._rows,
            "commits_total": lambda: self._commits,
            "refused_total": lambda: self._refused,
        }

    async def commit(self, unit: Sized) -> int:
        """Store one unit durably and return how many rows it changed.

        Raises BodyError if the unit itself is at fault: the others of its batch are stored. Raises Unavailable if
        the database is.
        """
        batch = self._open
        number = len(batch.units)
        batch.units.append(unit)
        batch.rows += len(unit)
        if batch.rows >= self._most:
            self._open = _Batch()
            batch.full.set()
        if number:
            await batch.done.wait()
        else:
            await self._lead(batch)
        return batch.outcome(number)

    async def _lead(self, batch: _Batch) -> None:
        if self._linger:
            with anyio.move_on_after(self._linger, shield=True):  # who is cancelled leads nevertheless
                await batch.full.wait()
        try:
            await self._database.write(partial(self._write, batch))
        except Exception as error:  # every sender of the batch has to hear of it
            batch.error = error
        finally:
            self._close(batch)
            batch.done.set()

    def _close(self, batch: _Batch) -> None:
        if self._open is batch:
            self._open = _Batch()

    def _write(self, batch: _Batch, connection: Connection) -> None:
        self._close(batch)  # not before it is this batch's turn: until then others may join
        self._attempt(connection, batch, 0, len(batch.units))

    def _attempt(self, connection: Connection, batch: _Batch, first: int, last: int, *, each: bool = False) -> None:
        """Commit the units from `first` to `last`; halve them for as long as one of them is at fault.

        Halves have transactions of their own, since a deferred constraint fails only at the commit.
        """
        try:
            with transaction(connection):
                outcomes = self._run(connection, batch.units[first:last], each)
        except Unclear:
            self._attempt(connection, batch, first, last, each=True)
        except Exception as error:  # told apart by what it means
            meaning = self._database.meaning(error)
            if not isinstance(meaning, BodyError):
                raise
            if last - first > 1:
                middle = (first + last) // 2
                self._attempt(connection, batch, first, middle)
                self._attempt(connection, batch, middle, last)
                return
            meaning.__cause__ = error
            batch.outcomes[first] = meaning
            self._refused += 1
        else:
            self._commits += 1
            self._rows += sum(outcome for outcome in outcomes if outcome > 0)
            batch.outcomes.update(zip(range(first, last), outcomes, strict=True))


def changed(connection: Connection, units: Sequence[Unit], each: bool) -> Sequence[int]:
    """Run the rows of all units in their order; how many rows each unit changed.

    Together, the driver tells only the sum. If that does not tell the parts, the units must be run one by one.
    """
    if each or len(units) == 1:
        return [_run(connection, unit) for unit in units]
    rows = [bound for unit in units for bound in unit]
    if not all(plan.at_most_one for plan, _ in rows):
        return changed(connection, units, True)
    if _run(connection, rows) != len(rows):
        raise Unclear
    return [len(unit) for unit in units]


def _run(connection: Connection, rows: Sequence[Bound]) -> int:
    return sum(plan.run(connection, group) for plan, group in _runs(rows))


def _runs(rows: Sequence[Bound]) -> Sequence[tuple[Plan, list[Parameters]]]:
    """Neighbours with one plan, together: rows never change places."""
    plans = {plan for plan, _ in rows}
    if len(plans) == 1:
        return [(plans.pop(), [parameters for _, parameters in rows])]
    runs: list[tuple[Plan, list[Parameters]]] = []
    for plan, parameters in rows:
        if not runs or runs[-1][0] is not plan:
            runs.append((plan, []))
        runs[-1][1].append(parameters)
    return runs
