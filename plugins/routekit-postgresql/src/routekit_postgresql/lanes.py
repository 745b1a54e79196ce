"""Group commit: what many callers want at once is sent together, and becomes one transaction on one connection.

A lane is a connection with a thread of its own. Each of its transactions marks the lane's row with a new number, which
does two things. It fails when the row is gone, since this process was held for dead: nothing it wrote meanwhile stays.
And it tells, when a connection is lost while it commits, whether it has: so nothing is done twice, and nobody is told
of a failure that was none. The rows are read before the commit is sent, so its answer is all that can be missing.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event as Flag
from time import monotonic
from typing import Any, Final, TypeVar, cast

import anyio
import anyio.to_thread
import psycopg

from routekit import StoreError

from .asking import Ask, Row, read, run
from .connecting import Bounded, Database, given_up, lost

T = TypeVar("T")
Rows = list[Row]

_log = logging.getLogger("routekit.postgresql")

MOST: Final = 256
"""Calls in one transaction."""
HEAVIEST: Final = 8_000_000
"""Characters of messages in one transaction, but that the last message may be larger."""
_MARK: Final = "UPDATE lanes SET batch = %s WHERE token = %s AND lane = %s"
_MARKED: Final = "SELECT batch FROM lanes WHERE token = %s AND lane = %s FOR UPDATE"
_TELL: Final = "SELECT pg_notify(%s, %s)"
_FENCED: Final = "this process was held for dead, and others have taken over what it had"
_HINT: Final = "start it again; raise `lease` in `store` if it was only slow"


class Fenced(StoreError):
    """Another process has taken over what this one had; it must not write any more."""

    def __init__(self) -> None:
        super().__init__(_FENCED, hint=_HINT)


class _Group:
    """What will share a transaction; `outcomes` has a result or a StoreError for each, once it is done."""

    __slots__ = ("asks", "done", "outcomes", "weight")

    def __init__(self) -> None:
        self.asks: list[Ask[Any]] = []
        self.weight = 0
        self.outcomes: Sequence[Any] = ()
        self.done = anyio.Event()

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return len(self.asks) >= MOST or self.weight >= HEAVIEST


class Lanes:
    """Takes what any task asks, and does it, while `run` runs."""

    def __init__(self, database: Database, token: int, channel: str, name: str, fenced: Callable[[], None]) -> None:
        """`name` is that of this process; `fenced` is called once, in the event loop, when that was held for dead."""
        numbers = range(database.options.connections)
        self._lanes = [_Lane(database, token, number, channel, f"{name} lane {number}") for number in numbers]
        self._groups: deque[_Group] = deque()
        self._idle: list[anyio.Event] = []
        self._closed = False
        self._fenced = False
        self._on_fenced = fenced

    async def do(self, ask: Ask[T]) -> T:
        """What is asked, once it is committed; raises StoreError when it is not.

        A caller that is cancelled while it waits does not undo it.
        """
        if self._closed or self._fenced:
            raise Fenced if self._fenced else StoreError("the store is closed")
        if not self._groups or self._groups[-1].full:
            self._groups.append(_Group())
            if self._idle:
                self._idle.pop().set()
        group = self._groups[-1]
        place = len(group.asks)
        group.asks.append(ask)
        group.weight += ask.weight
        await group.done.wait()
        outcome = group.outcomes[place]
        if isinstance(outcome, StoreError):
            raise outcome
        return cast("T", outcome)

    async def run(self) -> None:
        """Do what is asked until `close`; what was asked before that is still done, even when cancelled."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                for lane in self._lanes:
                    tasks.start_soon(self._run, lane)

    def close(self) -> None:
        """Take no more; what waits for a server that is away is given up."""
        self._closed = True
        for lane in self._lanes:
            lane.closing.set()
        self._wake()

    def fence(self) -> None:
        """Refuse everything from now on."""
        if not self._fenced:
            self._fenced = True
            self._on_fenced()

    def _wake(self) -> None:
        for event in self._idle:
            event.set()
        self._idle.clear()

    async def _run(self, lane: "_Lane") -> None:
        thread = anyio.CapacityLimiter(1)
        try:
            while await self._waited():
                group = self._groups.popleft()
                group.outcomes = await anyio.to_thread.run_sync(lane.outcomes, group.asks, limiter=thread)
                if any(isinstance(outcome, Fenced) for outcome in group.outcomes):
                    self.fence()
                group.done.set()
        finally:
            await anyio.to_thread.run_sync(lane.drop, limiter=thread)

    async def _waited(self) -> bool:
        """Wait for a group; false when none will come any more."""
        while not self._groups:
            if self._closed:
                return False
            event = anyio.Event()
            self._idle.append(event)
            await event.wait()
        return True


class _Lane:
    """One connection, made anew when it is lost; all but `closing` is for its thread."""

    def __init__(self, database: Database, token: int, number: int, channel: str, purpose: str) -> None:
        self.closing = Flag()
        self._database = database
        self._place = (token, number)
        self._channel = channel
        self._purpose = purpose
        self._batch = 0
        self._connection: Bounded | None = None

    def outcomes(self, asks: Sequence[Ask[Any]]) -> Sequence[Any]:
        """What becomes of each; one that fails by itself is no reason for the others to fail."""
        together = self._outcome(sorted(asks, key=lambda ask: ask.order) if len(asks) > 1 else asks)
        if isinstance(together, dict):
            return [_read(ask, together[id(ask)]) for ask in asks]
        if len(asks) == 1 or isinstance(together, Fenced) or self._connection is None:
            return [together] * len(asks)
        return [self._alone(ask) for ask in asks]

    def drop(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _alone(self, ask: Ask[Any]) -> Any:
        outcome = self._outcome([ask])
        return _read(ask, outcome[id(ask)]) if isinstance(outcome, dict) else outcome

    def _outcome(self, asks: Sequence[Ask[Any]]) -> dict[int, Rows] | StoreError:
        try:
            if not any(ask.writes for ask in asks):
                found = self._patiently(lambda connection: _answers(connection, asks))
            else:
                found = self._written(asks)
                self._tell({ask.changes for ask in asks if ask.changes is not None})
        except StoreError as error:
            self._undo()
            return error
        except Exception as error:  # whatever it is, it belongs to the caller and must not end the others
            self._undo()
            return self._database.explain(error)
        return {id(ask): rows for ask, rows in zip(asks, found, strict=True)}

    def _written(self, asks: Sequence[Ask[Any]]) -> list[Rows]:
        self._batch += 1
        batch = self._batch
        sent: list[list[Rows]] = []  # what was read before the commit was sent

        def write(connection: Bounded) -> list[Rows]:
            if sent and self._committed(connection, batch):
                return sent[-1]
            sent.clear()
            with connection.pipeline():
                connection.execute("BEGIN")
                mark = connection.execute(_MARK, (batch, *self._place))
                answers = run(connection, asks)
            if mark.rowcount != 1:
                raise Fenced
            rows = read(answers)
            sent.append(rows)
            connection.execute("COMMIT")
            return rows

        try:
            return self._patiently(write)
        except psycopg.Error as error:
            if not sent:
                raise
            told = self._database.explain(error)
            raise StoreError(f"{told.message}; whether it was written is not known", hint=told.hint) from error

    def _committed(self, connection: Bounded, batch: int) -> bool:
        """Whether it has; waits until the server knows that the lost connection is gone."""
        row = connection.execute(_MARKED, self._place).fetchone()
        if row is None:
            raise Fenced
        return row[0] == batch

    def _patiently(self, work: Callable[[Bounded], list[Rows]]) -> list[Rows]:
        """The result of `work`, tried again on new connections while the server is away, within the timeout."""
        end = monotonic() + self._database.options.timeout
        pause = 0.02
        while True:
            try:
                if self._connection is None:
                    self._connection = self._database.connect(self._purpose)
                return work(self._connection)
            except psycopg.Error as error:
                if given_up(error):
                    self._undo()
                elif lost(error, self._connection):
                    self.drop()
                else:
                    raise
                if monotonic() + pause > end or self.closing.wait(pause):
                    raise
                pause = min(pause * 2, 1.0)

    def _undo(self) -> None:
        """End the transaction that has failed, if one is open."""
        connection = self._connection
        if connection is None:
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self.drop()

    def _tell(self, changes: set[tuple[str, str] | None]) -> None:
        """Wake those who wait for these in other processes; they look by themselves too, if they are not told."""
        connection = self._connection
        if not changes or connection is None:
            return
        try:
            with connection.pipeline():
                for change in changes:
                    connection.execute(_TELL, (self._channel, " ".join(change or ())))
        except psycopg.Error as error:
            _log.warning("other processes were not told of a change: %s", error)
            self.drop()


def _answers(connection: Bounded, asks: Sequence[Ask[Any]]) -> list[Rows]:
    with connection.pipeline():
        answers = run(connection, asks)
    return read(answers)


def _read(ask: Ask[T], rows: Rows) -> T | StoreError:
    try:
        return ask.read(rows)
    except StoreError as error:
        return error
