"""One connection: its client, its login and its rate, which all routes share."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any, Final, TypeVar, cast

import aiohttp
import anyio
import httpx

from routekit import BadOption, Runtime, Store

from .auth import BasicAuth, Desk, Login, SessionSigner, Signer
from .calls import MOVED, READING, Call, moved, origin_of
from .errors import HttpRejected, HttpUnavailable
from .faults import fault_of
from .guard import check_url
from .limiter import Limiter
from .settings import ConnectionSettings
from .transport import Chunks, open_client

R = TypeVar("R")
FAULTS: Final = (httpx.HTTPError, aiohttp.ClientError)
"""What a transport raises when a connection breaks."""
Guarded = Callable[[], Awaitable[httpx.AsyncClient]]


@dataclass(eq=False)
class Connection:
    """Sends requests; credentials and own headers go to the connection's own origin and nowhere else."""

    label: str
    settings: ConnectionSettings
    client: httpx.AsyncClient
    signer: Signer | None
    limiter: Limiter
    now: Callable[[], float]
    origin: tuple[str, str, int | None] = field(init=False)
    requests: int = 0
    """How many were asked for."""

    def __post_init__(self) -> None:
        self.origin = origin_of(httpx.URL(self.settings.url))

    async def exchange(self, call: Call, guarded: Guarded, read: Callable[[httpx.Response], Awaitable[R]]) -> R:
        """What `read` makes of the answer; raises HttpUnavailable when there is none in time.

        The time of a call begins when it has its turn. `guarded` gives the client for URLs that came with data.
        """
        if self.settings.read_only and call.method not in READING:
            raise HttpRejected(f"{self.label} is read_only, asked for {call.method}", hint="see its settings")
        await self.limiter.turn()
        with self._told(call) as seconds, anyio.fail_after(seconds):
            response = await self._follow(call, guarded)
            try:
                return await read(response)
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()

    async def opened(self, call: Call, guarded: Guarded) -> httpx.Response:
        """An answer whose end nobody knows; who asked reads it and closes it. Raises as `exchange` does."""
        await self.limiter.turn()
        with self._told(call) as seconds, anyio.fail_after(seconds):
            return await self._follow(call, guarded)

    @contextmanager
    def _told(self, call: Call) -> Generator[float]:
        """Around a request: its errors in the words of the sink; gives how many seconds it may take."""
        self.requests += 1
        seconds = call.timeout or self.settings.timeout
        try:
            yield seconds
        except TimeoutError as error:
            raise HttpUnavailable(f"{call}: no answer within {seconds:g} s") from error
        except FAULTS as error:
            raise fault_of(call, error) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise HttpRejected(f"{call} cannot be asked: {error}") from error

    async def _follow(self, call: Call, guarded: Guarded) -> httpx.Response:
        left = call.redirects
        while True:
            response = await self._send(call, guarded)
            if response.status_code not in MOVED or not left or "location" not in response.headers:
                return response
            await response.aclose()
            left -= 1
            call = moved(call, response)

    async def _send(self, call: Call, guarded: Guarded) -> httpx.Response:
        response = await self._once(call, guarded)
        signer = self._signer(response.request.url) if response.status_code == 401 and call.content.again else None
        if signer is None:
            return response
        try:
            renewed = await signer.renew(response.request)
        except Exception:
            await response.aclose()
            raise
        if not renewed:
            return response
        await response.aclose()
        return await self._once(call, guarded)

    async def _once(self, call: Call, guarded: Guarded) -> httpx.Response:
        url = _url(call.url).copy_merge_params(list(call.query)) if call.query else _url(call.url)
        own, client = origin_of(url) == self.origin, self.client
        if call.foreign and not (own or call.private or self.settings.allow_private):
            check_url(url)
            client = await guarded()
        stream = call.content.stream()
        request = client.build_request(call.method, url, content=cast("Any", stream))
        if call.endless:
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": None}
        if not isinstance(stream, bytes):
            request.stream = Chunks(stream)
        if call.content.type:
            request.headers["content-type"] = call.content.type
        if call.content.size is not None:
            request.headers["content-length"] = str(call.content.size)
            request.headers.pop("transfer-encoding", None)
        if own:
            request.headers.update(self.settings.headers)
        request.headers.update(call.headers)
        if own and self.signer is not None:
            await self.signer.sign(request)
        try:
            response = await client.send(request, stream=True)
        finally:
            await _ended(stream)
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
        self.limiter.learn(response.status_code, told, self.now())
        return response

    def _signer(self, url: httpx.URL) -> Signer | None:
        return self.signer if origin_of(url) == self.origin else None


_url = lru_cache(maxsize=1024)(httpx.URL)
"""Taking a URL apart is a tenth of a small request."""


@asynccontextmanager
async def open_connection(
    label: str,
    settings: ConnectionSettings,
    now: Callable[[], float],
    store: Store,
    random: Random,
    login: Login | None,
) -> AsyncGenerator[Connection]:
    """A connection; nothing is asked yet."""
    limiter = Limiter(label, settings.rate, settings.max_wait)
    async with open_client(label, settings, guarded=False) as client:
        desk = Desk(label, client, now, store, random)
        signer = _logging_in(settings, desk, login) if login else settings.auth and settings.auth.signer(desk)
        yield Connection(label, settings, client, signer, limiter, now)


def _logging_in(settings: ConnectionSettings, desk: Desk, login: Login) -> Signer:
    if not isinstance(settings.auth, BasicAuth):
        found = f"[http.{desk.connection}] has no auth of kind basic"
        raise BadOption(found, hint="write the user and password to log in with")
    return SessionSigner(login, settings.url, settings.auth, desk.client)


@asynccontextmanager
async def open_guarded(label: str, settings: ConnectionSettings) -> AsyncGenerator[httpx.AsyncClient]:
    """The client of a connection for URLs that came with data."""
    async with open_client(label, settings, guarded=True) as client:
        yield client


async def connection_of(
    runtime: Runtime, label: str, settings: ConnectionSettings, login: Login | None = None
) -> tuple[Connection, Guarded]:
    """The connection that all routes with these settings share, and what gives its guarded client."""
    given = cast("Any", settings)  # hashable, since frozen; pydantic does not tell pyright
    store, chance = cast("Any", runtime.store), cast("Any", runtime.random)
    connection = await runtime.shared(open_connection, label, given, runtime.now, store, chance, login)

    async def guarded() -> httpx.AsyncClient:
        return await runtime.shared(open_guarded, label, given)

    return connection, guarded


async def _ended(stream: object) -> None:
    """Close what a body was read from, though it may not have been read to its end."""
    if isinstance(stream, AsyncGenerator):
        with anyio.CancelScope(shield=True), suppress(RuntimeError):  # it is still being read: an early answer
            await stream.aclose()
