"""The HTTP endpoints keep the contracts that every endpoint has to keep."""

import json
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect

from routekit import Capabilities, Message, Unavailable
from routekit.testing.conformance import SinkContract, SourceContract
from routekit_http import HttpPoll, HttpServer, HttpSink, SseSource, WsServer
from routekit_http.events.parsing import written


class TestServer(SourceContract):
    kind = HttpServer
    loops = ("asyncio",)
    answers = True

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        yield

    def source(self) -> str:
        return f"http:127.0.0.1:{self.port}/kit?id_header=x-id"

    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    async def put(self, message: Message[Any]) -> Message[Any] | None:
        host, port = self.address
        async with httpx.AsyncClient(trust_env=False, timeout=5, verify=False) as client:
            answer = await client.post(f"http://{host}:{port}/kit", content=message.body, headers={"x-id": message.id})
        answer.raise_for_status()
        return None if answer.status_code == 204 else Message(answer.content)

    async def put_poison(self) -> None:
        async with await anyio.connect_tcp(*self.address) as stream:
            await stream.send(b"POST /kit HTTP/1.1\r\ncontent-length: many\r\n\r\n")
            assert b" 400 " in await stream.receive()


class Outside:
    """A server of the kit's own, on one port, which can be stopped and started."""

    @pytest.fixture(autouse=True)
    def _peers(self, serve: Any, says: Any) -> None:
        self.serve, self.says = serve, says

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        self.kept: list[Any] = []
        self.port = 0
        async with anyio.create_task_group() as self._tasks:
            await self.start_server()
            yield
            await self.stop_server()

    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    async def start_server(self) -> None:
        self._stop, self._stopped = anyio.Event(), anyio.Event()
        await self._tasks.start(self._run)

    async def stop_server(self) -> None:
        self._stop.set()
        await self._stopped.wait()

    async def _run(self, *, task_status: Any) -> None:
        try:
            async with self.serve(self.answer, port=self.port) as peer:
                self.port = peer.port
                task_status.started()
                await self._stop.wait()
        finally:
            self._stopped.set()

    def answer(self, asked: Any) -> Any:
        raise NotImplementedError


class TestSink(Outside, SinkContract):
    kind = HttpSink
    large = 4 << 20
    headers: ClassVar[Any] = {"x-plain": "plain", "x-other": "a, b; c"}

    def sink(self) -> str:
        return "http:kit/x?forward=x-plain,x-other"

    def settings(self, table: str, name: str) -> Any:
        host, port = self.address
        found = {"url": f"http://{host}:{port}", "timeout": "3s"}
        return found if (table, name) == ("http", "kit") else None

    def answer(self, asked: Any) -> Any:
        if asked.method == "HEAD":  # a probe
            return self.says(200)
        if asked.body == b"poison":
            return self.says(422)
        self.kept.append(Message(asked.body, asked.headers))
        return self.says(201)

    async def delivered(self) -> Sequence[Any]:
        return self.kept

    def poison(self) -> Any:
        return b"poison"


class TestPoll(Outside, SourceContract):
    kind = HttpPoll
    promised = Capabilities(replayable=True, ordered=True)
    bodies: ClassVar[Any] = {
        name: {"id": number, "note": text}
        for number, (name, text) in enumerate({"empty": "", "unicode": "Grüße, 你好, 🐿", "none": None}.items(), 1)
    }
    large = 4 << 20

    def source(self) -> str:
        return "http:kit/rows?name=kit&paging=keyset&keys=after:seq&size=10&poll=20ms"

    def settings(self, table: str, name: str) -> Any:
        host, port = self.address
        found = {"url": f"http://{host}:{port}", "timeout": "1s"}
        return found if (table, name) == ("http", "kit") else None

    def answer(self, asked: Any) -> Any:
        if asked.method == "HEAD":  # a probe
            return self.says(200)
        query = httpx.URL(f"http://x{asked.path}").params
        after, limit = int(query.get("after", "0")), int(query["limit"])
        rows = [row for row in self.kept if row["seq"] >= after][:limit]
        return self.says(200, json.dumps(rows).encode())

    async def put(self, message: Message[Any]) -> None:
        self.kept.append({**message.body, "seq": len(self.kept) + 1})

    def body(self, number: int) -> Any:
        return {"id": number, "note": f"note {number}"}

    def large_body(self, size: int) -> Any:
        return {"id": 1, "note": "é" * (size // 2)}

    def expected(self, body: Any) -> Any:
        number = next((n for n, row in enumerate(self.kept, 1) if row["id"] == body["id"]), 0)
        return {**body, "seq": number}


class TestSocketServer(SourceContract):
    kind = WsServer
    loops = ("asyncio",)
    answers = True
    large = 1 << 19

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        yield

    def source(self) -> str:
        return f"ws:127.0.0.1:{self.port}/kit"

    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    async def put(self, message: Message[Any]) -> Message[Any] | None:
        host, port = self.address
        async with connect(f"ws://{host}:{port}/kit") as one:
            await one.send(message.body)
            answer = await one.recv()
        if isinstance(answer, str) and answer.startswith('{"type": "about:blank"'):
            raise Unavailable(answer)
        return Message(answer)


class TestEvents(Outside, SourceContract):
    kind = SseSource
    large = 1 << 19
    bodies: ClassVar[Any] = {"plain": b"plain", "unicode": "Grüße, 你好, 🐿".encode(), "lines": b"one\ntwo\n"}

    def source(self) -> str:
        return "sse:kit/events?name=kit&retry=20ms&silence=1s"

    def settings(self, table: str, name: str) -> Any:
        host, port = self.address
        found = {"url": f"http://{host}:{port}", "timeout": "1s"}
        return found if (table, name) == ("http", "kit") else None

    def answer(self, asked: Any) -> Any:
        if asked.method == "HEAD":  # a probe
            return self.says(200)
        head = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        return self.says(headers=head, chunks=self.events(int(asked.headers.get("last-event-id", "0"))))

    def events(self, last: int) -> Any:
        yield b": hello\n\n"
        while True:
            yield from (written(body, id=str(number)) for number, body in self.numbered() if number > last)
            last = len(self.kept)
            yield partial(anyio.sleep, 0.005)

    def numbered(self) -> Any:
        return enumerate(self.kept, 1)

    async def put(self, message: Message[Any]) -> None:
        self.kept.append(message.body.decode())
