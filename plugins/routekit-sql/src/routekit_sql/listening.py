"""LISTEN and NOTIFY of PostgreSQL: a bell that rings when the database says that there is something new."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy.engine import URL

from routekit import BadOption, Runtime

from .dialect import parsed
from .drivers import driver
from .postgresql import connect_arguments
from .settings import ConnectionSettings, settings_of

_log = logging.getLogger("routekit.sql")
_AGAIN = 1.0
"""Seconds until a lost connection is made anew; meanwhile rows are polled for."""


class Bell:
    """Rings for all who wait for it. Who asks for `next` before it looks for rows misses nothing."""

    def __init__(self) -> None:
        self.next = anyio.Event()

    def ring(self) -> None:
        """Wake everybody."""
        last, self.next = self.next, anyio.Event()
        last.set()


async def bell_of(runtime: Runtime, name: str, channel: str) -> Bell:
    """The bell of a channel, shared by all routes that listen to it; raises BadOption if it is of another database."""
    settings: Any = settings_of(runtime, name)  # hashable, since frozen; pydantic does not tell pyright
    return await runtime.shared(_open_bell, name, settings, channel)


@asynccontextmanager
async def _open_bell(name: str, settings: ConnectionSettings, channel: str) -> AsyncGenerator[Bell]:
    url, _ = parsed(settings, f"[sql.{name}]")
    if url.get_backend_name() != "postgresql":
        raise BadOption(f"listen={channel}: [sql.{name}] is no PostgreSQL", hint="only that has LISTEN and NOTIFY")
    bell = Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, name, url, settings, channel, bell)
        try:
            yield bell
        finally:
            tasks.cancel_scope.cancel()


async def _listen(name: str, url: URL, settings: ConnectionSettings, channel: str, bell: Bell) -> None:
    psycopg = driver("psycopg", extra="postgresql", of="PostgreSQL")
    sql = driver("psycopg.sql", extra="postgresql", of="PostgreSQL")
    where = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def connect() -> Any:
        connection = psycopg.connect(where, autocommit=True, **connect_arguments(settings))
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        return connection

    while True:
        try:
            connection = await anyio.to_thread.run_sync(connect)
            try:
                bell.ring()  # what came before it listened
                await _hear(connection, bell)
            finally:
                connection.close()
        except psycopg.Error as error:
            _log.warning("sql:%s does not hear '%s' for now, and only polls: %s", name, channel, str(error).strip())
            await anyio.sleep(_AGAIN)


async def _hear(connection: Any, bell: Bell) -> None:
    """Ring for each notification until the connection is lost; raises what the driver says then."""
    while True:
        await anyio.wait_readable(connection.fileno())
        connection.pgconn.consume_input()
        heard = False
        while connection.pgconn.notifies() is not None:
            heard = True
        if heard:
            bell.ring()
