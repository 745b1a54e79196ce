"""Replies and the messages that wait for them, matched by a header."""

from collections.abc import Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import anyio

from .errors import LateReply, RouteKitError, Unavailable
from .message import Delivery, Message, Meta
from .step import Chain, Runtime, Target, finish

CORRELATION = "correlation-id"
"""The header by which a reply says which request it answers: every step keeps it."""

RETURN_ADDRESS = "reply-to"
"""The header by which a request says where its reply is to go; data, which only `reply_to` reads."""


@dataclass(eq=False)
class Waiter:
    """One message that waits."""

    reply: Message[Any] | None = None
    error: RouteKitError | None = None
    _settled: anyio.Event = field(default_factory=anyio.Event)

    def settle(self, reply: Message[Any] | None, error: RouteKitError | None = None) -> None:
        """Let it go on."""
        self.reply, self.error = reply, error
        self._settled.set()

    async def wait(self, timeout: float) -> Message[Any] | None:
        """The reply, or None if it did not come in time; raises what made the waiting vain."""
        with anyio.move_on_after(timeout):
            await self._settled.wait()
        if self.error is not None:
            raise self.error
        return self.reply  # also one that came together with the end of the time


class Desk:
    """The messages of one step that wait for replies."""

    def __init__(self, header: str) -> None:
        self._header = header
        self._waiting: dict[str, Waiter] = {}
        self._closed: RouteKitError | None = None

    @contextmanager
    def waiting(self, id: str) -> Generator[Waiter]:
        """Wait inside it for the reply that carries this id."""
        waiter = self._waiting[id] = Waiter()
        if self._closed is not None:
            waiter.settle(None, self._closed)
        try:
            yield waiter
        finally:
            self._waiting.pop(id, None)

    def hand(self, reply: Message[Any]) -> None:
        """Give a reply to the message that waits for it; raises LateReply if none does."""
        asked = reply.headers.get(self._header)
        waiter = self._waiting.pop(str(asked), None)
        if waiter is not None:
            return waiter.settle(reply)
        if asked is None:
            raise LateReply(f"a reply has no header '{self._header}'", hint="the other side has to send it back")
        hint = "it came too late, twice, or to the wrong place"
        raise LateReply(f"no message waits for the reply '{asked}'", hint=hint)

    def close(self, error: RouteKitError) -> None:
        """Let nobody wait any more: no reply will come."""
        self._closed = error
        for waiter in self._waiting.values():
            waiter.settle(None, error)


class Replies:
    """The job that reads the replies of one step: each goes to the message that waits for it, or is kept."""

    def __init__(self, source: Target, late: Chain | None, desk: Desk, runtime: Runtime) -> None:
        self._source = str(source)
        self._desk = desk
        self._runtime = runtime
        self._read = runtime.reader(source)
        self._late = None if late is None else runtime.bind(late, finish, "late replies")
        self._entry = runtime.entry(self._once_more)

    async def read(self) -> None:
        """Read until the route stops; what breaks here degrades the route, which then starts again."""
        try:
            async with aclosing(self._read()) as deliveries:
                async for delivery in deliveries:
                    await self._settle(delivery)
        finally:
            self._desk.close(Unavailable(f"{self._source} gives no more replies"))

    async def _settle(self, delivery: Delivery[Any]) -> None:
        try:
            if delivery.error is not None:
                raise delivery.error  # noqa: TRY301 - it is kept like a late one
            self._desk.hand(delivery.message)
        except Exception as error:
            try:
                await self._keep(self._received(delivery.message), error)
            except Exception as worse:
                if delivery.nack is not None:
                    await delivery.nack(worse)
                return
        if delivery.ack is not None:
            await delivery.ack(None)

    async def _keep(self, reply: Message[Any], error: Exception) -> None:
        if self._late is not None and isinstance(error, LateReply):
            try:
                await self._late(reply.with_meta(reply.meta.with_error(error)))
            except Exception as failure:
                error = failure
            else:
                return
        await self._runtime.give_up(reply, error, entry=self._entry)

    async def _once_more(self, reply: Message[Any]) -> Message[Any] | None:
        """Where the letter of a late reply is replayed: never at the start of the route, as if it were a request."""
        if self._late is None:
            self._desk.hand(reply)
            return reply
        return await self._late(reply)

    def _received(self, reply: Message[Any]) -> Message[Any]:
        runtime = self._runtime
        meta = Meta(runtime.route, self._source, runtime.now())
        return Message(reply.body, reply.headers, reply.id or token(runtime), meta)


def token(runtime: Runtime) -> str:
    """A name that no other message has."""
    return UUID(int=runtime.random.getrandbits(128)).hex
