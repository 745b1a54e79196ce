"""The server beside the routes: what happens to it, and to connections that do not come to the point."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from routekit import Unavailable
from routekit.access import Access
from routekit.control import server
from routekit.control.flood import Receive, Scope, Sending
from routekit.control.listening import listening, url_of
from routekit.control.server import served

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio only, by the real clock."""
    return "asyncio"


async def hello(scope: Scope, receive: Receive, send: Sending) -> None:
    """An application that answers."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


@asynccontextmanager
async def at_a_free_port(app: Any = hello, connections: int = 20) -> AsyncGenerator[int]:
    bound = listening(Access.model_validate({"listen": "127.0.0.1:0"}))
    port = bound.getsockname()[1]
    async with served(app, bound, connections):
        yield port


async def asked(port: int, text: bytes) -> bytes:
    """All that is answered until the connection is closed, in whatever way."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        found = b""
        try:
            await stream.send(text)
            while True:
                found += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return found


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def test_it_answers_until_the_block_is_left() -> None:
    """Then nobody listens any more."""
    async with at_a_free_port() as port:
        assert (await asked(port, GET)).endswith(b"hi")
    with pytest.raises(OSError, match="connection"):
        await anyio.connect_tcp("127.0.0.1", port)


async def test_a_connection_that_stays_open_does_not_hold_the_end() -> None:
    """Neither one that says nothing nor one that keeps alive."""
    with anyio.fail_after(20):
        async with at_a_free_port() as port:
            idle = await anyio.connect_tcp("127.0.0.1", port)
            kept = await anyio.connect_tcp("127.0.0.1", port)
            await kept.send(GET.replace(b"close", b"keep-alive"))
            assert b"200 OK" in await kept.receive()
        await idle.aclose()
        await kept.aclose()


async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends a byte now and then holds no connection for ever."""
    monkeypatch.setattr(server, "HEAD_TIME", 0.1)
    async with at_a_free_port() as port:
        assert (await asked(port, b"GET / HT")).startswith(b"HTTP/1.1 408")


async def test_a_head_that_is_too_large_is_refused() -> None:
    """However many headers there are."""
    async with at_a_free_port() as port:
        head = GET[:-2] + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(200)) + b"\r\n"
        assert not (await asked(port, head)).startswith(b"HTTP/1.1 200")


async def test_too_many_connections_are_turned_away() -> None:
    """And when they are gone, others get in again."""
    async with at_a_free_port(connections=3) as port:
        held = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(5)]
        assert (await asked(port, GET)).startswith(b"HTTP/1.1 503")
        for one in held:
            await one.aclose()
        with anyio.fail_after(20):
            while not (await asked(port, GET)).endswith(b"hi"):
                await anyio.sleep(0.01)


async def test_an_application_that_fails_ends_nothing() -> None:
    """The request fails, the next one is answered."""
    times = [0]

    async def fails_first(scope: Scope, receive: Receive, send: Sending) -> None:
        times[0] += 1
        if times[0] == 1:
            raise ZeroDivisionError
        await hello(scope, receive, send)

    async with at_a_free_port(fails_first) as port:
        assert (await asked(port, GET)).startswith(b"HTTP/1.1 500")
        assert (await asked(port, GET)).endswith(b"hi")


async def test_a_server_that_fails_does_not_end_the_block(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log, and what is inside goes on: those are the routes."""

    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("no more files")

    monkeypatch.setattr(server.Server, "startup", broken)
    went_on = False
    async with at_a_free_port():
        await anyio.sleep(0.01)
        went_on = True
    assert went_on
    assert "the routes go on without it" in caplog.text


def test_an_address_that_cannot_be_had_is_told() -> None:
    """Also where it is not only taken."""
    access = Access.model_validate({"listen": "192.0.2.1:7180", "token": "0123456789abcdef"})
    with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1:7180"):
        listening(access)


def test_the_url_is_one_that_this_machine_can_use() -> None:
    """Also for a server that listens everywhere, and by IPv6."""
    for listen, url in (("0.0.0.0:0", "http://127.0.0.1:"), ("[::1]:0", "http://[::1]:"), ("localhost:0", "http://")):
        try:
            bound = listening(Access.model_validate({"listen": listen, "token": "0123456789abcdef"}))
        except Unavailable:
            assert "[" in listen  # a machine without IPv6
            continue
        with bound:
            assert url_of(bound).startswith(url)
            assert isinstance(bound, socket.socket)
