"""One connection that gives signs of life, and hears of what other processes change."""

import logging
from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.to_thread
import psycopg
from psycopg import sql

from .connecting import Bounded, Database
from .membership import Membership

T = TypeVar("T")

_log = logging.getLogger("routekit.postgresql")
_AGAIN: Final = 0.5
"""Seconds until a lost connection is made anew."""


class Bells:
    """Who waits for what other processes change. Who asks before looking, and waits then, misses nothing."""

    def __init__(self) -> None:
        self._events: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)

    def next(self, what: str) -> anyio.Event:
        """Set at the next change."""
        return self._events[what]

    def ring(self, what: str) -> None:
        """Wake those who wait for it; `*` wakes all."""
        for one in list(self._events) if what == "*" else [what]:
            event = self._events.pop(one, None)
            if event is not None:
                event.set()


class Watch:
    """Runs as long as the store is open."""

    def __init__(self, database: Database, membership: Membership, channel: str, bells: Bells) -> None:
        self._database = database
        self._membership = membership
        self._channel = channel
        self._bells = bells
        self._thread = anyio.CapacityLimiter(1)
        self._heard: deque[str] = deque()  # while a statement was under way

    async def run(self, connection: Bounded | None) -> None:
        """Watch for ever, by this connection first; raises Fenced when this process was held for dead."""
        while True:
            try:
                if connection is None:
                    connection = await self._in_thread(
                        partial(self._database.connect, f"{self._membership.name} watch")
                    )
                await self._listen(connection)
            except psycopg.Error as error:
                _log.warning("the store hears nothing from other processes for now: %s", str(error).strip())
                await anyio.sleep(_AGAIN)
            finally:
                if connection is not None:
                    connection.close()
                connection = None

    async def _listen(self, connection: Bounded) -> None:
        listen = sql.SQL("LISTEN {}").format(sql.Identifier(self._channel))
        connection.add_notify_handler(lambda notify: self._heard.append(notify.payload))
        await self._in_thread(partial(connection.execute, listen))
        self._bells.ring("*")  # what came before it listened
        while True:
            due = await self._in_thread(partial(self._membership.beat, connection))
            with anyio.move_on_after(due):
                await self._hear(connection)

    async def _hear(self, connection: Bounded) -> None:
        """Ring for each notification; raises what the driver says when the connection is lost."""
        while True:
            while self._heard:
                self._bells.ring(self._heard.popleft())
            while (notify := connection.pgconn.notifies()) is not None:
                self._bells.ring(notify.extra.decode())
            await anyio.wait_readable(connection.fileno())
            connection.pgconn.consume_input()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._thread)
