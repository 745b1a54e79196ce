"""A sound plugin: `shelf:` as a source and as a sink, and `bell:` as a listener, in a world that is outside of them.

The faulty ones in `faulty/` are made from these, each with one thing done wrong.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar

import anyio
import anyio.lowlevel
from pydantic import Field, SecretStr

from routekit import (
    About,
    BodyError,
    Capabilities,
    Consumer,
    Deliver,
    Delivery,
    Listener,
    Message,
    PathField,
    Producer,
    Rejected,
    Runtime,
    Send,
    Unavailable,
)

LIMIT = 1 << 20
POISON = b"poison"
TOKEN = "hunter2"


class World:
    """What is outside: messages that wait, messages that have arrived, and a server that may be away."""

    def __init__(self) -> None:
        self.waiting: dict[str, Message[Any]] = {}
        self.kept: dict[str, Message[Any]] = {}
        self.bells: dict[str, Deliver] = {}
        self.up = True
        self.notes: dict[str, Any] = {}
        self.passed = 0
        self._changed = anyio.Event()

    def changed(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def change(self) -> None:
        await self._changed.wait()

    def turn(self, *, up: bool) -> None:
        self.up = up
        self.changed()

    async def answer(self, token: str) -> None:
        """As a server answers: after a moment, if it is there, to those who may ask."""
        await anyio.lowlevel.checkpoint()
        if not self.up:
            raise Unavailable("there is no answer")
        if token != TOKEN:
            raise Unavailable("the token is not accepted")

    def put(self, message: Message[Any]) -> None:
        self.waiting[message.id] = message
        self.changed()

    async def ring(self, name: str, message: Message[Any]) -> Message[Any] | None:
        if name not in self.bells:
            raise ConnectionRefusedError(name)
        return await self.bells[name](message)


WORLDS: dict[str, World] = {}
"""The worlds, by the name that stands in the URI."""


class ShelfSource(Consumer):
    """Takes what waits on a shelf, in order; it is gone when it is done."""

    scheme = "shelf"
    capabilities: ClassVar[Capabilities] = Capabilities(replayable=True, ordered=True, largest=LIMIT)
    about: ClassVar[About] = About(figures={"taken_total": "messages taken", "waiting": "messages that wait"})
    name: PathField = Field(description="name of the shelf")
    token: SecretStr = Field(default=SecretStr(TOKEN), description="what opens it")

    @property
    def world(self) -> World:
        return WORLDS[self.name]

    async def ask(self) -> None:
        await self.world.answer(self.token.get_secret_value())

    async def probe(self, runtime: Runtime) -> str:
        await self.ask()
        return f"shelf {self.name}: {len(self.world.waiting)} waiting"

    def figures(self) -> dict[str, Callable[[], float]]:
        return {"taken_total": lambda: self.world.passed, "waiting": lambda: len(self.world.waiting)}

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        taken: set[str] = set()
        with runtime.metered(self, self.figures()):
            while True:
                await self.ask()
                message = self.pick(taken)
                if message is None:
                    await self.rest(runtime)
                else:
                    taken.add(message.id)
                    yield self.delivery(message, taken)

    def pick(self, taken: set[str]) -> Message[Any] | None:
        return next((message for key, message in self.world.waiting.items() if key not in taken), None)

    async def rest(self, runtime: Runtime) -> None:
        with runtime.resting():
            await self.world.change()

    def delivery(self, message: Message[Any], taken: set[str]) -> Delivery[Any]:
        self.world.passed += 1
        done, refused = partial(self.ack, message), partial(self.nack, message, taken)
        return Delivery(self.read(message), done, refused, self.wrong(message))

    def wrong(self, message: Message[Any]) -> BodyError | None:
        if len(message.body) > LIMIT:
            return BodyError("this is too large for a shelf")
        return BodyError("this is no message") if message.body == POISON else None

    def read(self, message: Message[Any]) -> Message[Any]:
        return message

    async def ack(self, message: Message[Any], reply: Message[Any] | None) -> None:
        await self.ask()
        self.world.waiting.pop(message.id, None)

    async def nack(self, message: Message[Any], taken: set[str], error: Exception) -> None:
        await self.ask()
        taken.discard(message.id)
        self.world.changed()


class ShelfSink(Producer):
    """Puts messages on a shelf, each once by its id; a list of bodies is put there whole."""

    scheme = "shelf"
    capabilities: ClassVar[Capabilities] = Capabilities(
        ordered=True, transactional=True, idempotent=True, largest=LIMIT
    )
    about: ClassVar[About] = About(figures={"kept_total": "messages put there"})
    name: PathField = Field(description="name of the shelf")
    token: SecretStr = Field(default=SecretStr(TOKEN), description="what opens it")

    @property
    def world(self) -> World:
        return WORLDS[self.name]

    async def ask(self) -> None:
        await self.world.answer(self.token.get_secret_value())

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        await self.ask()
        with runtime.metered(self, self.figures()):
            yield self.send

    async def probe(self, runtime: Runtime) -> str:
        await self.ask()
        return f"shelf {self.name}"

    def figures(self) -> dict[str, Callable[[], float]]:
        return {"kept_total": lambda: self.world.passed}

    async def send(self, message: Message[Any]) -> None:
        bodies: Sequence[Any] = message.body if isinstance(message.body, list) else [message.body]
        self.refuse(bodies)
        await self.ask()
        await self.keep({f"{message.id}/{n}": message.with_body(body) for n, body in enumerate(bodies)})

    def refuse(self, bodies: Sequence[Any]) -> None:
        if POISON in bodies:
            raise Rejected("this can never be put on a shelf")
        if any(len(body) > LIMIT for body in bodies):
            raise Rejected("this is too large for a shelf")

    async def keep(self, messages: dict[str, Message[Any]]) -> None:
        self.world.kept |= messages
        self.world.passed += len(messages)


class BellSource(Listener):
    """Takes a message whenever somebody rings; who rings waits for the answer."""

    scheme = "bell"
    name: PathField = Field(description="name of the bell")

    @property
    def world(self) -> World:
        return WORLDS[self.name]

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        await anyio.lowlevel.checkpoint()
        assert self.name not in self.world.bells, "somebody listens already"
        self.world.bells[self.name] = partial(self.answer, deliver)
        try:
            await anyio.lowlevel.checkpoint()
            with runtime.resting():
                await anyio.sleep_forever()
        finally:
            del self.world.bells[self.name]

    async def answer(self, deliver: Deliver, message: Message[Any]) -> Message[Any] | None:
        return await deliver(message)
