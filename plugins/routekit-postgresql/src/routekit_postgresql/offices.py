"""Offices: which process leads, of those that wait for the same one.

An office belongs to the process whose token is in its row, for as long as that has its place among the processes, so
the lease of the place is the lease of all its offices. `term` grows with each new holder. The row is written as
everything else, in a transaction that fails for a process that was held for dead.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

from routekit import StoreError

from .asking import Ask, Row, brief, each, nothing
from .lanes import Fenced, Lanes
from .membership import Membership
from .sentry import Sentry
from .watching import Bells

_log = logging.getLogger("routekit.postgresql")

_STAND: Final = each("name text, holder text, token bigint", "stand(r.name, r.holder, r.token)")
_RESIGN: Final = "SELECT resign(%(name)s, %(token)s)"
_AGAIN: Final = 0.5
"""Seconds until the server is asked again that did not answer."""


class Offices:
    """The offices for which this process stands."""

    def __init__(
        self, lanes: Lanes, membership: Membership, bells: Bells, sentry: Sentry, lease: float, now: Callable[[], float]
    ) -> None:
        self._lanes = lanes
        self._membership = membership
        self._bells = bells
        self._sentry = sentry
        self._lease = lease
        self._now = now
        self._standing: set[PostgresqlOffice] = set()
        self._first = anyio.Event()

    @asynccontextmanager
    async def leading(self, name: str) -> AsyncGenerator["PostgresqlOffice"]:
        """Stand for an office within the block."""
        office = PostgresqlOffice(self._membership)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stand, name, office)
            self._standing.add(office)
            self._first.set()
            try:
                yield office
            finally:
                self._standing.discard(office)
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await self._resign(name, office)

    async def run(self) -> None:
        """Tell those that lead when the lease is over without a sign of life, and when it goes on; until cancelled."""
        await self._first.wait()
        while True:
            while (seconds := self._membership.sure) > 0:
                await anyio.sleep(seconds)
            since = self._now() + seconds
            for office in self._standing:
                office.lapsed(since)
            while self._membership.sure <= 0:
                await anyio.sleep(_AGAIN)
            for office in self._standing:
                office.told()

    async def _stand(self, name: str, office: "PostgresqlOffice") -> None:
        """Ask for it whenever it may be free; who has it is asked for no more, since he can only lose all at once."""
        began = self._now()
        while True:
            news = self._bells.next(f"office {name}")
            try:
                mine, holder, token, term, seen, vacated = await self._asked(name)
            except Fenced:
                return  # the store is about to end
            except StoreError as error:
                _log.warning("nobody is elected to run %s for now: %s", name, error)
                await anyio.sleep(_AGAIN)
                continue
            if mine:
                waited = vacated is not None and began <= vacated
                office.won(term, seen if waited else None)
                return
            office.waits(holder)
            self._sentry.watch(token)
            with anyio.move_on_after(self._lease):
                await news.wait()

    async def _asked(self, name: str) -> Row:
        row = {"name": brief(name), "holder": self._membership.name, "token": self._membership.token}
        return await self._lanes.do(Ask(_STAND, row, _first, ("offices", "stand", brief(name)), folds=True))

    async def _resign(self, name: str, office: "PostgresqlOffice") -> None:
        office.resigned()
        row = {"name": brief(name), "token": self._membership.token}
        ask = Ask(_RESIGN, row, nothing, ("offices", "stand", brief(name)), changes=("office", name))
        try:
            await self._lanes.do(ask)
        except StoreError:  # it is free when this process has left, or its lease is over
            return


class PostgresqlOffice:
    """One office, as this process knows it."""

    def __init__(self, membership: Membership) -> None:
        self.leader = ""
        self.term = 0
        self.since: float | None = None
        self._membership = membership
        self._changed = anyio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process has it, and nobody else can have it yet."""
        return self.term > 0 and self._membership.sure > 0

    def changed(self) -> anyio.Event:
        """Set at the next change."""
        return self._changed

    def won(self, term: int, since: float | None) -> None:
        """It is this process's."""
        self.leader, self.term, self.since = self._membership.name, term, since
        self.told()

    def waits(self, leader: str) -> None:
        """It is another's."""
        if leader != self.leader:
            self.leader = leader
            self.told()

    def lapsed(self, since: float) -> None:
        """The lease is over, as of `since`."""
        if self.term:
            self.since = since
        self.told()

    def resigned(self) -> None:
        """It is nobody's, or another's."""
        self.term = 0
        self.told()

    def told(self) -> None:
        """Something is different."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


def _first(rows: list[Row]) -> Row:
    return rows[0]
