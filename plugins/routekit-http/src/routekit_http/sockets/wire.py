"""A WebSocket to somebody's server: the protocol of `websockets`, carried by anyio, on asyncio and trio alike."""

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from anyio.abc import ByteStream
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from ..errors import HttpRejected, HttpUnavailable

_CHUNK = 64 << 10
_GOODBYE = 2.0
"""Seconds that the other side gets to say goodbye."""
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError, ssl.SSLError)

Take = Callable[[str | bytes], Awaitable[None]]


class Wire:
    """One connection. Whoever has it runs `run` beside, which reads, answers pings and sends some."""

    def __init__(self, stream: ByteStream, protocol: ClientProtocol, label: str, ping: float) -> None:
        self._stream = stream
        self._protocol = protocol
        self._label = label
        self._ping = ping
        self._sending = anyio.Lock()
        self._parts: list[bytes] = []
        self._text = False
        self.over = anyio.Event()
        self.why = ""

    async def send(self, body: str | bytes) -> None:
        """Give a message to the operating system; raises HttpUnavailable if the connection is not open any more."""
        if self.over.is_set() or self._protocol.state is not State.OPEN:
            raise HttpUnavailable(f"{self._label}: the connection is closed", sent=False)
        if isinstance(body, str):
            self._protocol.send_text(body.encode())
        else:
            self._protocol.send_binary(body)
        try:
            await self._flushed()
        except _BROKEN as error:
            self.over.set()
            raise HttpUnavailable(f"{self._label}: the connection broke: {error!r}") from error

    async def run(self, take: Take) -> None:
        """Give each message to `take`, until the connection is over; `why` says why."""
        try:
            self.why = await self._read(take)
        except _BROKEN as error:
            self.why = f"it broke: {error!r}"
        finally:
            self.over.set()
            with anyio.CancelScope(shield=True):
                await self.close()
                await anyio.aclose_forcefully(self._stream)  # the other side waits for that

    async def _read(self, take: Take) -> str:
        asked = False
        while True:
            for event in self._protocol.events_received():  # the first may have come with the handshake
                if isinstance(event, Frame):
                    await self._framed(event, take)
            if self._protocol.state is not State.OPEN:
                code, reason = self._protocol.close_code, self._protocol.close_reason
                return f"it was closed: {code} {reason or ''}".rstrip()
            data = None
            with anyio.move_on_after(self._ping):
                data = await self._received()
            if data is None and asked:
                return f"no answer to a ping within {self._ping:g} s"
            asked = data is None
            if data is None:
                self._protocol.send_ping(b"?")
            elif data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            await self._flushed()

    async def _received(self) -> bytes:
        try:
            return await self._stream.receive(_CHUNK)
        except anyio.EndOfStream:
            return b""

    async def _framed(self, frame: Frame, take: Take) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._parts, self._text = [bytes(frame.data)], frame.opcode is Opcode.TEXT
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return
        if frame.fin:
            whole, self._parts = b"".join(self._parts), []
            await take(whole.decode(errors="replace") if self._text else whole)

    async def _flushed(self) -> None:
        async with self._sending:
            for data in self._protocol.data_to_send():
                if data:
                    await self._stream.send(data)

    async def close(self) -> None:
        """Say goodbye, and do not wait long for the answer."""
        with anyio.move_on_after(_GOODBYE, shield=True):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                try:
                    await self._flushed()
                except _BROKEN:
                    return


@asynccontextmanager
async def connected(
    url: httpx.URL, headers: Mapping[str, str], context: ssl.SSLContext, *, seconds: float, most: int, ping: float
) -> AsyncGenerator[Wire]:
    """A connection that is open; raises HttpUnavailable, or HttpRejected if the other side refuses it for good."""
    label = f"{url.scheme}://{url.netloc.decode()}{url.path}"
    protocol = ClientProtocol(parse_uri(str(url)), max_size=most)
    try:
        with anyio.fail_after(seconds):
            stream = await _stream(url, context)
    except TimeoutError as error:
        raise HttpUnavailable(f"{label}: no connection within {seconds:g} s", sent=False) from error
    except _BROKEN as error:
        raise HttpUnavailable(f"{label}: {error}", sent=False) from error
    try:
        try:
            with anyio.fail_after(seconds):
                await _shaken(stream, protocol, headers)
        except TimeoutError as error:
            raise HttpUnavailable(f"{label}: no answer within {seconds:g} s", sent=False) from error
        except InvalidStatus as error:
            raise _refused(label, error) from error
        except (*_BROKEN, InvalidHandshake) as error:
            raise HttpUnavailable(f"{label}: {error!r}", sent=False) from error
        wire = Wire(stream, protocol, label, ping)
        try:
            yield wire
        finally:
            await wire.close()
    finally:
        await anyio.aclose_forcefully(stream)


async def _stream(url: httpx.URL, context: ssl.SSLContext) -> Any:
    if url.scheme == "ws":
        return await anyio.connect_tcp(url.host, url.port or 80)
    return await anyio.connect_tcp(url.host, url.port or 443, ssl_context=context, tls_standard_compatible=False)


async def _shaken(stream: ByteStream, protocol: ClientProtocol, headers: Mapping[str, str]) -> None:
    request = protocol.connect()
    for name, value in headers.items():
        request.headers[name] = value
    protocol.send_request(request)
    await stream.send(b"".join(protocol.data_to_send()))
    while protocol.state is State.CONNECTING:
        try:
            protocol.receive_data(await stream.receive(_CHUNK))
        except anyio.EndOfStream:
            protocol.receive_eof()
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc


def _refused(label: str, error: InvalidStatus) -> Exception:
    status = error.response.status_code
    message = f"{label} was answered {status}, asked for a WebSocket"
    if status in (400, 403, 404, 405, 410, 426):
        return HttpRejected(message, status=status)
    return HttpUnavailable(message, status=status, sent=False)
