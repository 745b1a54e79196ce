"""The proxy that does wrong."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from routekit.testing import FaultProxy, fault_proxy

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]


@asynccontextmanager
async def echoing() -> AsyncGenerator[tuple[FaultProxy, SocketStream]]:
    """A server that answers what it is told, behind a proxy, and a client of it."""

    async def echo(stream: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError):
            async with stream:
                async for data in stream:
                    await stream.send(data)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, echo)
        async with fault_proxy("127.0.0.1", listener.extra(SocketAttribute.local_port)) as proxy:
            with anyio.fail_after(10):
                async with await anyio.connect_tcp(*proxy.address) as client:
                    yield proxy, client
        tasks.cancel_scope.cancel()


async def told(client: SocketStream, data: bytes) -> bytes:
    await client.send(data)
    answer = b""
    while len(answer) < len(data):
        answer += await client.receive()
    return answer


async def silent(client: SocketStream) -> bool:
    with anyio.move_on_after(0.1):
        await client.receive()
        return False
    return True


async def test_nothing_is_changed_without_a_fault() -> None:
    """What goes in comes out, also if it is much, and the end of it too."""
    async with echoing() as (_, client):
        much = bytes(range(256)) * 4096

        async def send() -> None:
            await client.send(much)
            await client.send_eof()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            answer = b"".join([data async for data in client])
        assert answer == much


async def test_a_cut_ends_the_connections_of_that_moment() -> None:
    """Both sides see it at once; new connections work."""
    async with echoing() as (proxy, client):
        assert await told(client, b"a") == b"a"
        proxy.cut()
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await client.receive()
        async with await anyio.connect_tcp(*proxy.address) as again:
            assert await told(again, b"b") == b"b"
        assert proxy.connected == 2


async def test_a_stall_holds_back_what_comes_later_when_it_heals() -> None:
    """Nothing is lost, nothing is ended."""
    async with echoing() as (proxy, client):
        proxy.stall()
        await client.send(b"a")
        assert await silent(client)
        proxy.heal()
        assert await client.receive() == b"a"


async def test_a_delay_is_that_of_each_direction() -> None:
    """There and back."""
    async with echoing() as (proxy, client):
        proxy.delay(0.1)
        begun = anyio.current_time()
        assert await told(client, b"a") == b"a"
        assert 0.19 < anyio.current_time() - begun < 5


async def test_a_half_closed_connection_still_takes() -> None:
    """The client hears that nothing will come; the server hears the client."""
    async with echoing() as (proxy, client):
        assert await told(client, b"a") == b"a"
        await proxy.half_close()
        with pytest.raises(anyio.EndOfStream):
            await client.receive()
        await client.send(b"b")  # answered, and the answer stays in the proxy
        async with await anyio.connect_tcp(*proxy.address) as again:
            assert await told(again, b"c") == b"c"


async def test_a_corrupted_piece_differs_in_each_direction() -> None:
    """A bit in the middle, turned twice, is right again; in one direction it is wrong."""
    heard: list[bytes] = []

    async def listen(stream: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError):
            async with stream:
                async for data in stream:
                    heard.append(data)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, listen)
        async with fault_proxy("127.0.0.1", listener.extra(SocketAttribute.local_port)) as proxy:
            proxy.corrupt()
            async with await anyio.connect_tcp(*proxy.address) as client:
                await client.send(b"abc")
                with anyio.fail_after(10):
                    while not heard:
                        await anyio.sleep(0.001)
        tasks.cancel_scope.cancel()
    assert heard == [b"a" + bytes([ord("b") ^ 0x10]) + b"c"]


async def test_refused_connections_end_at_once_until_it_heals() -> None:
    """As if there were no server."""
    async with echoing() as (proxy, client):
        assert await told(client, b"a") == b"a"
        proxy.refuse()
        for _ in range(2):
            with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream, OSError)):
                async with await anyio.connect_tcp(*proxy.address) as refused:
                    await told(refused, b"b")
        proxy.heal()
        async with await anyio.connect_tcp(*proxy.address) as again:
            assert await told(again, b"c") == b"c"


async def test_a_server_that_is_away_ends_the_connection() -> None:
    """The client hears it, and the proxy lives on."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as gone:
        port: Any = gone.extra(SocketAttribute.local_port)
    async with fault_proxy("127.0.0.1", port) as proxy:
        for _ in range(2):
            async with await anyio.connect_tcp(*proxy.address) as client:
                with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)), anyio.fail_after(10):
                    await client.receive()
