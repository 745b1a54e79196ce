"""Sinks with one thing done wrong each, and the tests that have to find it."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel

from routekit import Message, Rejected, Runtime, Send, Unavailable

from ..shelf import LIMIT, POISON, ShelfSink
from .finding import found_by

_numbers = count()


@found_by("test_a_send_returns_when_it_is_delivered_for_good", "test_they_stay_in_order")
class ReturnsTooSoon(ShelfSink):
    """A send returns when the message is in memory; it gets there a little later."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async with super().open(runtime), anyio.create_task_group() as tasks:
            yield partial(self.send_later, tasks)

    async def send_later(self, tasks: Any, message: Message[Any]) -> None:
        self.refuse([POISON] if isinstance(message.body, list) else [message.body])
        await self.ask()
        tasks.start_soon(self.later, message)

    async def later(self, message: Message[Any]) -> None:
        await anyio.sleep(0.01)
        self.world.kept[message.id] = message


@found_by("test_a_server_that_is_away_is_unavailable")
class SwallowsErrors(ShelfSink):
    """What could not be delivered counts as delivered."""

    async def send(self, message: Message[Any]) -> None:
        try:
            await super().send(message)
        except Unavailable:
            logging.getLogger(__name__).debug("a pity")


@found_by("test_a_server_that_is_away_is_unavailable")
class RejectsWhenAway(ShelfSink):
    """It says of a server that is away that the message can never be delivered."""

    async def send(self, message: Message[Any]) -> None:
        try:
            await super().send(message)
        except Unavailable as error:
            raise Rejected("it did not work") from error


@found_by("test_what_can_never_be_delivered_is_rejected", "test_what_is_too_large_is_rejected")
class TriesForEver(ShelfSink):
    """It says of what can never be delivered that it is worth another try."""

    async def send(self, message: Message[Any]) -> None:
        try:
            await super().send(message)
        except Rejected as error:
            raise Unavailable("not now") from error


@found_by("test_what_can_never_be_delivered_is_rejected")
class PoisonSpoilsOthers(ShelfSink):
    """What is sent beside something that is refused is refused with it."""

    async def send(self, message: Message[Any]) -> None:
        if message.body == POISON:
            self.world.notes["spoilt"] = 2
        elif self.world.notes.get("spoilt", 0):
            self.world.notes["spoilt"] -= 1
            raise Rejected("one of the batch was refused")
        await super().send(message)


@found_by(
    "test_many_at_once_arrive_once_each",
    "test_what_can_never_be_delivered_is_rejected",
    "test_what_is_being_sent_at_a_stop_is_sent",
)
class MixesUp(ShelfSink):
    """The message that is being sent is kept in one place for all sends."""

    async def send(self, message: Message[Any]) -> None:
        self.world.notes["now"] = message
        await anyio.lowlevel.checkpoint()
        await super().send(self.world.notes["now"])


@found_by("test_a_message_of_many_is_there_whole_or_not_at_all")
class OneByOne(ShelfSink):
    """A list is put there piece by piece, up to the one that is refused."""

    async def send(self, message: Message[Any]) -> None:
        if not isinstance(message.body, list):
            return await super().send(message)
        for number, body in enumerate(message.body):
            await super().send(Message(body, id=f"{message.id}-{number}"))
        return None


@found_by("test_a_send_may_be_cancelled_at_every_await")
class LeavesTornBodies(ShelfSink):
    """A body is written in two halves."""

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        await super().keep({key: one.with_body(one.body[: len(one.body) // 2]) for key, one in messages.items()})
        await anyio.lowlevel.checkpoint()
        await super().keep(messages)


@found_by("test_the_same_message_again_changes_nothing")
class AddsEachTime(ShelfSink):
    """It promises that a message that is sent again changes nothing, and adds it again."""

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        await super().keep({f"{key}/{next(_numbers)}": message for key, message in messages.items()})


@found_by("test_they_stay_in_order")
class NewestFirst(ShelfSink):
    """It promises an order, and puts what comes in front of what is there."""

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        self.world.kept = {**messages, **{key: one for key, one in self.world.kept.items() if key not in messages}}


@found_by("test_a_send_may_be_cancelled_at_every_await")
class HoldsItsLock(ShelfSink):
    """It takes a lock that a send which is cancelled never gives back."""

    async def send(self, message: Message[Any]) -> None:
        while self.world.notes.get("locked"):
            await anyio.sleep(0.01)
        self.world.notes["locked"] = True
        try:
            await super().send(message)
        except Exception:
            self.world.notes["locked"] = False
            raise
        self.world.notes["locked"] = False


@found_by("test_what_is_being_sent_at_a_stop_is_sent")
class ClosesTooSoon(ShelfSink):
    """When the service stops it lets go of what is being sent."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            for _ in range(5):
                await anyio.sleep(0.01)
                if runtime.stopping:
                    raise Unavailable("it is being closed")
            await self.send(message)

        async with super().open(runtime):
            yield send


@found_by(
    "test_it_may_be_opened_and_closed_often",
    "test_it_may_be_cancelled_at_every_await_of_its_opening",
)
class OpensOnce(ShelfSink):
    """It holds what it never lets go of."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        assert "opened" not in self.world.notes, "it is open already"
        async with super().open(runtime) as send:
            self.world.notes["opened"] = True
            yield send


@found_by(
    "test_it_may_be_cancelled_at_every_await_of_its_opening",
    "test_it_may_be_opened_and_closed_often",
    "test_the_server_may_start_later",
)
class LeavesItHalfOpen(ShelfSink):
    """Cancelled while it opens, it leaves behind what hinders the next one."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        assert "opening" not in self.world.notes, "somebody is opening it"
        self.world.notes["opening"] = True
        async with super().open(runtime) as send:
            del self.world.notes["opening"]
            yield send


@found_by("test_the_server_may_start_later")
class OpensWithoutLooking(ShelfSink):
    """It opens though the server is away, and gives up when it finds out."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        up = self.world.up

        async def send(message: Message[Any]) -> None:
            if not up:
                raise Rejected("it was away from the beginning")
            await self.send(message)

        if up:
            await self.ask()
        with runtime.metered(self, self.figures()):
            yield send


@found_by("test_a_server_that_is_away_is_unavailable")
class NeverConnectsAgain(ShelfSink):
    """Once its server was away it is away for good."""

    async def send(self, message: Message[Any]) -> None:
        if not self.world.up:
            self.world.notes["broken"] = True
        if self.world.notes.get("broken"):
            raise Unavailable("the connection is closed")
        await super().send(message)


@found_by("test_the_clock_may_be_set")
class CountsByTheWallClock(ShelfSink):
    """Two sends within a moment of the wall clock are refused; a clock that is set back refuses for a year."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            if runtime.now() < self.world.notes.get("last", 0.0):
                raise Unavailable("too many")
            self.world.notes["last"] = runtime.now()
            await self.send(message)

        async with super().open(runtime):
            yield send


@found_by("test_a_body_arrives_as_it_was[asyncio-unicode]", "test_a_body_arrives_as_it_was[asyncio-binary]")
class OnlyAscii(ShelfSink):
    """Letters that it does not know become question marks."""

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        await super().keep(
            {
                key: one.with_body(one.body.decode("ascii", "replace").encode("ascii", "replace"))
                for key, one in messages.items()
            }
        )


@found_by("test_a_body_arrives_as_it_was[asyncio-empty]")
class NotEmpty(ShelfSink):
    """An empty body is nothing to it."""

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        await super().keep({key: one for key, one in messages.items() if one.body})


@found_by("test_a_large_body_arrives")
class CutsOff(ShelfSink):
    """It writes one buffer."""

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        await super().keep({key: one.with_body(one.body[:65536]) for key, one in messages.items()})


@found_by("test_headers_arrive_as_they_were")
class NoHeaders(ShelfSink):
    """Headers stay behind."""

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        await super().keep({key: one.with_headers({}) for key, one in messages.items()})


@found_by(
    "test_a_secret_is_not_told",
    "test_a_wrong_secret_is_not_told",
    "test_a_probe_of_what_is_away_raises",
    "test_a_probe_with_a_wrong_secret_raises",
)
class TellsItsToken(ShelfSink):
    """In the text of an error."""

    async def ask(self) -> None:
        try:
            await super().ask()
        except Unavailable as error:
            raise Unavailable(f"shelf://me:{self.token.get_secret_value()}@kit is away") from error


@found_by("test_what_is_too_large_is_rejected")
class CutsOffWhatIsTooLarge(ShelfSink):
    """What is too large is put there as far as there is room."""

    async def send(self, message: Message[Any]) -> None:
        await super().send(message if isinstance(message.body, list) else message.with_body(message.body[:LIMIT]))


@found_by("test_it_may_be_closed_twice")
class ClosesOnce(ShelfSink):
    """Who leaves it twice is told that it is closed."""

    def open(self, runtime: Runtime) -> Any:
        return _Once(super().open(runtime))


class _Once:
    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._left = False

    async def __aenter__(self) -> Send:
        return await self._manager.__aenter__()

    async def __aexit__(self, *error: object) -> Any:
        if self._left:
            raise RuntimeError("it is closed already")
        self._left = True
        return await self._manager.__aexit__(*error)


@found_by("test_a_probe_changes_nothing")
class ProbesWithAMessage(ShelfSink):
    """It sends a message to see whether it arrives."""

    async def probe(self, runtime: Runtime) -> str:
        await self.send(Message(b"hello", id="probe"))
        return "it works"


@found_by("test_figures_go_with_the_endpoint")
class KeepsItsFigures(ShelfSink):
    """Its figures are shown for ever."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        await self.ask()
        self.world.notes.setdefault("shown", []).append(shown := runtime.metered(self, self.figures()))
        shown.__enter__()
        yield self.send


@found_by("test_figures_are_named_and_documented")
class CountsInMilliseconds(ShelfSink):
    """A figure has a unit that no other has, and no word about it."""

    def figures(self) -> dict[str, Callable[[], float]]:
        return {**super().figures(), "took_ms": lambda: 12.0}
