"""The shelf and the bell as the kit has to know them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from routekit import Message
from routekit.testing.conformance import HEADERS, Contract, SinkContract, SourceContract

from .shelf import POISON, TOKEN, WORLDS, BellSource, ShelfSink, ShelfSource, World


class InAWorld(Contract):
    """Each test has a world of its own."""

    in_virtual_time = True
    large = 1 << 20
    many = 40
    headers: ClassVar[Mapping[str, Any]] = HEADERS

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        self.world = WORLDS["kit"] = World()
        yield


class WithAServer(InAWorld):
    """The world has a server that may be away, and asks for a token."""

    secrets: ClassVar[Sequence[str]] = [TOKEN]

    async def stop_server(self) -> None:
        self.world.turn(up=False)

    async def start_server(self) -> None:
        self.world.turn(up=True)

    def with_secret(self, secret: str) -> Any:
        return self.kind.of("kit", {"token": secret})


class ShelfSourceTrial(WithAServer, SourceContract):
    kind = ShelfSource

    def source(self) -> Any:
        return self.kind.of("kit", {})

    async def put(self, message: Message[Any]) -> None:
        self.world.put(message)

    async def put_poison(self) -> None:
        self.world.put(Message(POISON, id="kit-poison"))


class ShelfSinkTrial(WithAServer, SinkContract):
    kind = ShelfSink

    def sink(self) -> Any:
        return self.kind.of("kit", {})

    async def delivered(self) -> Sequence[Any]:
        return list(self.world.kept.values())

    def poison(self) -> Any:
        return POISON

    def half_good(self) -> Any:
        return [b"good", POISON]


class BellSourceTrial(InAWorld, SourceContract):
    kind = BellSource
    answers = True

    def source(self) -> Any:
        return self.kind.of("kit", {})

    async def put(self, message: Message[Any]) -> Message[Any] | None:
        return await self.world.ring("kit", message)

    async def ready(self) -> None:
        import anyio

        while "kit" not in self.world.bells:
            await anyio.sleep(0.01)
