"""Endpoints of a server that cannot bear one fault of the line, and the tests that have to find it."""

import base64
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import Any

import anyio

from routekit import Delivery, Message, Rejected, Runtime, Unavailable

from ..pipe import GONE, Garbled, Link, PipeSink, PipeSource, Wire
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
    "test_a_probe_of_what_is_away_raises",
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


class SaysGoodbye(Link):
    """It does not leave before the server has said goodbye."""

    async def end(self) -> None:
        with anyio.CancelScope(shield=True), suppress(*GONE, Garbled, ValueError):
            await self.say_goodbye()
        await super().end()

    async def say_goodbye(self) -> None:
        async with self._lock:
            self._wire = self._wire or Wire(await anyio.connect_tcp("127.0.0.1", self._port))
            await self._wire.send(do="goodbye")
            await self._wire.receive()


@found_by("test_it_stops_though_nothing_comes_through")
class SourceThatSaysGoodbye(PipeSource):
    """A stop waits for the other side, however long that takes."""

    linked = SaysGoodbye


@found_by("test_it_stops_though_nothing_comes_through")
class SinkThatSaysGoodbye(PipeSink):
    """A stop waits for the other side, however long that takes."""

    linked = SaysGoodbye


class EasilyHurt(Link):
    """Who is turned away at the door again and again does not come any more."""

    hurt = 0

    async def ask(self, **said: Any) -> dict[str, Any]:
        if self.hurt > 3:
            raise Rejected("we are not wanted there")
        try:
            answer = await super().ask(**said)
        except Unavailable as error:
            self.hurt = self.hurt + 1 if isinstance(error.__cause__, anyio.BrokenResourceError) else 0
            raise
        self.hurt = 0
        return answer


@found_by("test_it_outlives_refused_connections")
class GivesUpAtTheDoor(PipeSink):
    """Some connections that end as soon as they are made are the last ones."""

    linked = EasilyHurt


@found_by(
    "test_a_send_waits_for_a_slow_server",
    "test_a_server_that_is_away_is_unavailable",
    "test_the_server_may_restart_in_between",
    "test_it_outlives_a_cut",
    "test_it_outlives_refused_connections",
    "test_it_outlives_corrupted_data",
)
class FiresAndForgets(PipeSink):
    """What the system has taken to be sent counts as delivered."""

    async def send(self, link: Link, message: Message[Any]) -> None:
        await link.say(do="keep", id=message.id, body=base64.b64encode(message.body).decode())


@found_by("test_nothing_is_lost_when_the_process_is_killed")
class PutsBackInTheEnd(PipeSource):
    """It takes messages away, and brings back in the end what was not done."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        link = self.link()
        held: dict[str, str] = {}
        try:
            while True:
                found = await link.ask(do="take")
                if found["id"] is None:
                    await runtime.rest(0.01)
                    continue
                held[found["id"]] = found["body"]
                await link.ask(do="done", id=found["id"])
                message = Message(base64.b64decode(found["body"]), id=found["id"])
                yield Delivery(message, partial(self.done, link, held, found["id"]), partial(self.back, link, held))
        finally:
            with anyio.CancelScope(shield=True):
                await link.end()
                for key, body in held.items():
                    with suppress(Unavailable):
                        await link.ask(do="put", id=key, body=body)

    async def done(self, link: Link, held: dict[str, str], id: str, reply: Message[Any] | None) -> None:
        del held[id]
        await link.ask(do="done", id=id)

    async def back(self, link: Link, held: dict[str, str], error: Exception) -> None:
        for key, body in held.items():
            await link.ask(do="put", id=key, body=body)
