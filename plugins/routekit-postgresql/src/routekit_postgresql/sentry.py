"""A connection that waits for the end of the process that leads, to hear of it as soon as the server does.

It waits for the advisory lock of that process, in rounds, since a server does not notice that a waiting client is gone.
"""

import logging
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import psycopg
from psycopg.pq import ExecStatus

from .connecting import Bounded, Database
from .membership import Membership, life_of

_log = logging.getLogger("routekit.postgresql")

_LOCK: Final = b"SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 7263))"
_PLACE: Final = "SELECT FROM owners WHERE token = %s"
_ROUND: Final = 5.0
"""Seconds for which the lock is waited for at a time."""
_PAUSE: Final = 0.5
"""Seconds between two looks at a process whose connection is gone, and which may live all the same."""


class Sentry:
    """Waits for the end of one process at a time; makes its connection when it is first asked to."""

    def __init__(self, database: Database, membership: Membership, channel: str) -> None:
        self._database = database
        self._membership = membership
        self._channel = channel
        self._token = 0
        self._asked = anyio.Event()
        self._thread = anyio.CapacityLimiter(1)

    def watch(self, token: int) -> None:
        """Look after the process of that token, from the next round on."""
        self._token = token
        self._asked.set()

    async def run(self) -> None:
        """Watch whom it was asked to, until cancelled."""
        while True:
            await self._asked.wait()
            try:
                connection = await self._connected()
            except psycopg.Error as error:
                self._tell(error)
                await anyio.sleep(_PAUSE)
                continue
            try:
                await self._watch(connection)
            except psycopg.Error as error:
                self._tell(error)
                await anyio.sleep(_PAUSE)
            finally:
                connection.close()

    async def _watch(self, connection: Bounded) -> None:
        while True:
            await self._asked.wait()
            token = self._token
            if not await self._ended(connection, token):
                continue
            if await anyio.to_thread.run_sync(partial(self._gone, connection, token), limiter=self._thread):
                if self._token == token:
                    self._asked = anyio.Event()
            else:
                await anyio.sleep(_PAUSE)

    def _gone(self, connection: Bounded, token: int) -> bool:
        """Whether the process has lost its place: if it is dead, it does so now. In a thread."""
        self._membership.look(connection)
        return connection.execute(_PLACE, (token,)).fetchone() is None

    async def _ended(self, connection: Bounded, token: int) -> bool:
        """Wait for the lock of a process; false if it still has that when the round is over."""
        wire = connection.pgconn
        wire.send_query_params(_LOCK, [life_of(self._channel, token).encode()])
        wire.flush()
        had = False
        while True:
            while wire.is_busy():
                await anyio.wait_readable(connection.fileno())
                wire.consume_input()
            result = wire.get_result()
            if result is None:
                return had
            had = had or result.status == ExecStatus.TUPLES_OK

    async def _connected(self) -> Bounded:
        def connected() -> Bounded:
            connection = self._database.connect(f"{self._membership.name} sentry")
            connection.execute(f"SET lock_timeout = {round(_ROUND * 1000)}".encode())
            return connection

        return await anyio.to_thread.run_sync(connected, limiter=self._thread)

    def _tell(self, error: psycopg.Error) -> None:
        _log.debug("the end of the leader is not waited for now: %s", str(error).strip())
