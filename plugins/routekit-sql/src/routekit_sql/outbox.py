"""An open place of transactions in a database: commits what messages do, and gives out what waits to be sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import anyio
from sqlalchemy.engine import Connection

from routekit import Message, Outgoing

from .database import Database, transaction
from .group import GroupCommit
from .ledger import Statements, known_as
from .statements import Bound
from .whole import REPEATED, Whole

Binding = Callable[[Any], Sequence[Bound]]
"""The rows of a body for one sink; raises BodyError."""

_OFTEN = 3600.0
"""Seconds between two looks for marks that are old enough to be forgotten."""


@dataclass(eq=False)
class SqlTransactions:
    """Implements `Transactions`. `rings` waits until the database says that something was put into an outbox."""

    database: Database
    name: str
    statements: Statements
    group: GroupCommit
    bindings: Mapping[Any, Binding]
    now: Callable[[], float]
    batch: int
    lease: float
    remember: float | None
    rings: Callable[[], Awaitable[None]]
    repeated: int = 0
    _leased: float = field(default=float("-inf"))
    """When this process last had its lease renewed, by a clock of its own."""
    _pruned: float = field(default=float("-inf"))

    def effect(self, sink: Any, message: Message[Any], options: Mapping[str, Any]) -> Sequence[Bound]:
        """The rows that the sink would write."""
        return self.bindings[sink](message.body)

    async def commit(self, id: str, effects: Sequence[Any], outgoing: Sequence[Outgoing]) -> bool:
        """Mark, rows and messages in one transaction, together with those of other messages."""
        mark = (self.name, known_as(id), self.now()) if id else None
        rows = effects[0] if len(effects) == 1 else [bound for effect in effects for bound in effect]
        sent = [(self.name, one.id, one.to, one.lane, one.message, one.at) for one in outgoing]
        outcome = await self.group.commit(Whole(mark, rows, sent))
        self.repeated += outcome == REPEATED
        return outcome != REPEATED

    async def take(self, *, owner: str, after: int = 0) -> Sequence[Outgoing] | None:
        """The next page, if the lease is or becomes the owner's."""
        if monotonic() - self._leased >= self.lease / 3:
            begun = monotonic()
            if not await self.database.write(partial(self._renewed, owner)):
                return None
            self._leased = begun
        return await self.database.read(partial(self._page, after))

    async def sent(self, numbers: Sequence[int]) -> None:
        """Delete them."""
        await self.database.write(partial(self._run, self.statements.forget, {"numbers": list(numbers)}))

    async def leave(self, *, owner: str) -> None:
        """Give the lease back."""
        self._leased = float("-inf")
        await self.database.write(partial(self._run, self.statements.leave, {"of": self.name, "mine": owner}))

    async def waiting(self) -> tuple[int, float | None]:
        """By counting the rows."""

        def count(connection: Connection) -> tuple[int, float | None]:
            [(found, oldest)] = connection.execute(self.statements.count, {"of": self.name})
            return found, oldest

        return await self.database.read(count)

    async def news(self) -> None:
        """By NOTIFY, where the database has it, or after a while."""
        await self.rings()

    def _page(self, after: int, connection: Connection) -> Sequence[Outgoing]:
        asked = {"of": self.name, "after": after, "most": self.batch}
        return [Outgoing(*row) for row in connection.execute(self.statements.page, asked)]

    def _renewed(self, owner: str, connection: Connection) -> bool:
        """Whether the lease is the owner's, for its whole time from now on, by the clock of the database."""
        dialect = self.database.dialect
        with transaction(connection):
            dialect.begin(connection)
            now, later = dialect.moments(connection, self.lease)
            given = {"of": self.name, "mine": owner, "later": later}
            mine = connection.execute(self.statements.renew, {**given, "now": now}).rowcount == 1
            if not mine:
                mine = connection.execute(self.statements.first, given).rowcount == 1
            if mine and self.remember is not None and monotonic() - self._pruned >= min(_OFTEN, self.remember):
                self._pruned = monotonic()
                old = {"of": self.name, "before": self.now() - self.remember}
                connection.execute(self.statements.prune, old)
        return mine

    def _run(self, statement: Any, values: Mapping[str, Any], connection: Connection) -> None:
        with transaction(connection):
            connection.execute(statement, values)


async def never_sooner(seconds: float) -> None:
    """Wait so long: for databases that tell nothing."""
    await anyio.sleep(seconds)
