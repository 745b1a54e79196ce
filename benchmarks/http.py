"""HTTP beside what a programmer would write by hand: the sink beside plain httpx, a route beside a Starlette
handler and one of FastAPI.

Server and client are two processes, with 20 requests in flight.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import anyio
import httpx
from pydantic import BaseModel

from routekit import Message, Policy, Target, from_
from routekit.testing import Catalog, Run, running, setup_for

from .figures import Figure, alternately

IN_FLIGHT = 20
REQUESTS = 4_000
ROUNDS = 5


class Order(BaseModel):
    """One body."""

    id: int
    customer: str
    total: float


BODY = json.dumps({"id": 7, "customer": "c@example.com", "total": 12.5}).encode()


def figures() -> list[Figure]:
    """Both directions, each taken in turn with its rival."""
    with _Server("starlette") as port:
        url = f"http://127.0.0.1:{port}/orders"
        plain, sink = alternately(ROUNDS, lambda: anyio.run(_plain, url), lambda: anyio.run(_sink, url))
    with _Server("starlette") as bare_port, _Server("fastapi") as fast_port, _Server("routekit") as route_port:
        bare, fast, route = alternately(
            ROUNDS,
            lambda: anyio.run(_load, bare_port),
            lambda: anyio.run(_load, fast_port),
            lambda: anyio.run(_load, route_port),
        )
    return [
        Figure("http: requests of the sink", sink, "/s", f"plain httpx {plain:,.0f}/s", 3 * plain, "higher"),
        Figure("http: requests to a route", route, "/s", f"Starlette handler {bare:,.0f}/s", 0.9 * bare, "higher"),
        Figure("http: the same, beside FastAPI", route, "/s", f"FastAPI {fast:,.0f}/s", 1.3 * fast, "higher"),
    ]


async def _plain(url: str) -> float:
    async with httpx.AsyncClient(trust_env=False) as client:

        async def send() -> None:
            response = await client.post(url, content=BODY, headers={"content-type": "application/json"})
            response.raise_for_status()

        return await _rate(send)


async def _sink(url: str) -> float:
    out: list[float] = []

    async def measured(send: Any) -> None:
        message = Message(BODY, id="m")

        async def one() -> None:
            await send(message)

        out.append(await _rate(one))

    producer = Catalog().sink(Target(f"{url}?content=json")).producer
    async with _Host() as host, producer.open(host) as send:  # type: ignore[arg-type]
        await measured(send)
    return out[0]


class _Host:
    """As much of a runtime as a sink needs."""

    route, store = "bench", None

    async def __aenter__(self) -> "_Host":
        from contextlib import AsyncExitStack

        self._stack = await AsyncExitStack().__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def now(self) -> float:
        return time.time()

    def codec(self, choice: Any) -> Any:
        return Catalog().codec(choice)

    def metered(self, endpoint: Any, figures: Any) -> Any:
        return nullcontext()

    async def shared(self, factory: Any, *args: Any) -> Any:
        return await self._stack.enter_async_context(factory(*args))


async def _rate(send: Callable[[], Awaitable[None]]) -> float:
    left = REQUESTS

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await send()

    await send()
    start = perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.start_soon(worker)
    return REQUESTS / (perf_counter() - start)


async def _load(port: int) -> float:
    """Requests over kept connections by hand, since any client costs more than the server that is measured."""
    request = b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    request += b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    load = _Load(request, done)
    start = perf_counter()
    callers = [(await loop.create_connection(lambda: _Caller(load), "127.0.0.1", port))[0] for _ in range(IN_FLIGHT)]
    await done
    seconds = perf_counter() - start
    for transport in callers:
        transport.close()
    return load.total / seconds


class _Load:
    """What all callers have to do together."""

    total = REQUESTS * 3

    def __init__(self, request: bytes, done: "asyncio.Future[None]") -> None:
        self.request, self.done = request, done
        self.left, self.answered = self.total, 0


class _Caller(asyncio.Protocol):
    """Asks, and asks again when it is answered."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._answer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(b"}"):
            return
        assert self._answer.startswith(b"HTTP/1.1 200"), self._answer
        self._answer = b""
        self._load.answered += 1
        if self._load.answered == self._load.total:
            self._load.done.set_result(None)
        self._ask()

    def _ask(self) -> None:
        if self._load.left:
            self._load.left -= 1
            self._transport.write(self._load.request)


class _Server:
    """A server in a process of its own; gives its port."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.http", kind], stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()


async def _serve_starlette(port: int) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def orders(request: Request) -> Response:
        order = Order.model_validate_json(await request.body())
        return Response(order.model_dump_json(), media_type="application/json")

    await _uvicorn(Starlette(routes=[Route("/orders", orders, methods=["POST"])]), port)


async def _serve_fastapi(port: int) -> None:
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/orders")
    async def orders(order: Order) -> Order:
        return order

    await _uvicorn(app, port)


async def _uvicorn(app: Any, port: int) -> None:
    import uvicorn

    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off", http="httptools")
    await uvicorn.Server(config).serve()


async def _serve_routekit(port: int) -> None:
    flow = from_(f"http:127.0.0.1:{port}/orders", Order, policy=Policy())
    async with running(flow, setup=setup_for(Run(), now=time.time)):
        await anyio.sleep_forever()


SERVERS = {"starlette": _serve_starlette, "fastapi": _serve_fastapi, "routekit": _serve_routekit}


def main(kind: str) -> None:
    """Serve until killed."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(SERVERS[kind], port)
            while True:
                try:
                    async with await anyio.connect_tcp("127.0.0.1", port):
                        break
                except OSError:
                    await anyio.sleep(0.01)
            print(port, flush=True)

    anyio.run(run)


if __name__ == "__main__":
    main(sys.argv[1])
