"""The pipe as the kit has to know it: with a server that can be stopped, and a proxy before it."""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from routekit import Message
from routekit.testing.conformance import Contract, SinkContract, SourceContract

from .pipe import PipeSink, PipeSource, Server


class AtAServer(Contract):
    """Each test has a server of its own."""

    large = 1 << 20
    many = 30
    quiet = 0.1

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as tasks:
            self.running = Server(tasks)
            await self.running.start()
            yield
            tasks.cancel_scope.cancel()

    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self.running.port

    async def stop_server(self) -> None:
        self.running.stop()
        await anyio.sleep(0.02)

    async def start_server(self) -> None:
        await self.running.start()


class PipeSourceTrial(AtAServer, SourceContract):
    kind = PipeSource

    def source(self) -> Any:
        return self.kind(port=self.address[1])

    async def put(self, message: Message[Any]) -> None:
        self.running.put(message.id, message.body)


class PipeSinkTrial(AtAServer, SinkContract):
    kind = PipeSink

    def sink(self) -> Any:
        return self.kind(port=self.address[1])

    async def delivered(self) -> Sequence[Any]:
        return [base64.b64decode(body) for body in self.running.kept.values()]
