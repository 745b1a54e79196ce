"""Group commit: what many callers want at once becomes one transaction in one thread.

A thread hop and a synced commit cost far more than a statement, so callers share them: 64 callers wait for one
commit instead of 64.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread

from ..errors import StoreError
from ._file import File

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Any]


class _Group:
    """Operations that will share a transaction; `outcomes` has a result or a StoreError for each, once it is done."""

    __slots__ = ("done", "operations", "outcomes")

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.outcomes: Sequence[Any] = ()
        self.done = anyio.Event()


class Commits:
    """Takes operations from any task and runs them, group after group, while `run` runs."""

    def __init__(self, file: File) -> None:
        self._connection = file.connection
        self._explain = file.explain
        self._there = file.there
        self._thread = anyio.CapacityLimiter(1)
        self._group = _Group()
        self._wake = anyio.Event()
        self._closed = False

    async def do(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """The operation's result, once it is committed; raises StoreError when it is not.

        The operation runs in a thread and may run twice, in a second transaction, when another one of its group
        fails. A caller that is cancelled while it waits does not undo it.
        """
        if self._closed:
            raise StoreError("the store is closed")
        group = self._group
        place = len(group.operations)
        group.operations.append(operation)
        if place == 0:
            self._wake.set()
        await group.done.wait()
        outcome = group.outcomes[place]
        if isinstance(outcome, StoreError):
            raise outcome
        return cast("T", outcome)

    async def run(self) -> None:
        """Commit group after group until `close`; what was asked before that is still done, even when cancelled."""
        with anyio.CancelScope(shield=True):
            while not (self._closed and not self._group.operations):
                await self._wake.wait()
                group, self._group, self._wake = self._group, _Group(), anyio.Event()
                if group.operations:
                    group.outcomes = await anyio.to_thread.run_sync(self._outcomes, group, limiter=self._thread)
                group.done.set()

    async def alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` gives outside of any transaction, between two groups; raises StoreError."""
        outcome = await anyio.to_thread.run_sync(self._alone, work, limiter=self._thread)
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Take no more operations."""
        self._closed = True
        self._wake.set()

    def _alone(self, work: Callable[[sqlite3.Connection], T]) -> T | StoreError:
        try:
            return work(self._connection)
        except Exception as error:  # as in a transaction
            return self._explain(error)

    def _outcomes(self, group: _Group) -> Sequence[Any]:
        together = self._transaction(group.operations)
        if isinstance(together, StoreError) and len(group.operations) > 1 and not self._locked(together):
            return [self._one(operation) for operation in group.operations]
        return [together] * len(group.operations) if isinstance(together, StoreError) else together

    def _one(self, operation: Operation) -> Any:
        outcome = self._transaction([operation])
        return outcome if isinstance(outcome, StoreError) else outcome[0]

    def _transaction(self, operations: Sequence[Operation]) -> list[Any] | StoreError:
        try:
            self._there()
            self._connection.execute("BEGIN IMMEDIATE")
            results = [operation(self._connection) for operation in operations]
            self._connection.execute("COMMIT")
        except Exception as error:  # whatever it is, it belongs to the caller and must not end the others
            self._undo()
            return self._explain(error)
        return results

    def _undo(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # some errors, such as a full disk, have undone it already
                self._connection.execute("ROLLBACK")

    @staticmethod
    def _locked(error: StoreError) -> bool:
        """Whether trying the operations one by one would only wait again for each of them."""
        return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
