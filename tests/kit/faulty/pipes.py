"""Endpoints of a server that cannot bear one fault of the line, and the tests that have to find it."""

from typing import Any

import anyio

from routekit import Message, Unavailable

from ..pipe import Garbled, Link, PipeSink, PipeSource
from .finding import found_by


class HangsOnTheEnd(Link):
    """That a connection has ended is no reason to do anything."""

    async def broken(self, error: Exception) -> None:
        if isinstance(error, anyio.IncompleteRead | anyio.BrokenResourceError):
            await anyio.sleep_forever()
        await self.close()


@found_by(
    "test_it_outlives_a_cut",
    "test_it_outlives_refused_connections",
    "test_it_outlives_a_half_closed_connection",
    "test_it_outlives_corrupted_data",
    "test_the_server_may_restart_in_between",
    "test_the_server_may_restart_while_a_message_is_at_work",
    "test_the_server_may_start_later",
)
class WaitsForTheDead(PipeSource):
    """A connection that was ended is waited for."""

    linked = HangsOnTheEnd


class HangsOnGarbage(Link):
    """What cannot be understood is thought about for ever."""

    async def broken(self, error: Exception) -> None:
        if isinstance(error, Garbled):
            await anyio.sleep_forever()
        await self.close()


@found_by("test_it_outlives_corrupted_data")
class StaresAtGarbage(PipeSource):
    """One piece of garbage, and nothing comes any more."""

    linked = HangsOnGarbage


@found_by("test_it_outlives_a_slow_connection", "test_it_outlives_a_stall", "test_a_send_waits_for_a_slow_server")
class CannotWait(PipeSink):
    """An answer is there at once, or never."""

    async def send(self, link: Link, message: Message[Any]) -> None:
        with anyio.move_on_after(0.15 if len(message.body) < 1000 else 10):
            return await super().send(link, message)
        raise ValueError("the server is too slow")


@found_by("test_it_outlives_a_cut", "test_it_outlives_refused_connections")
class TakesACutForSuccess(PipeSink):
    """When the connection is reset, it was sent after all."""

    async def send(self, link: Link, message: Message[Any]) -> None:
        try:
            await super().send(link, message)
        except Unavailable as error:
            if not isinstance(error.__cause__, anyio.BrokenResourceError):
                raise
