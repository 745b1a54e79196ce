"""The client that carries requests: httpx's, over aiohttp where there is asyncio, several times faster."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpcore
import httpx
from aiohttp.resolver import ThreadedResolver
from httpx_aiohttp import AiohttpTransport
from sniffio import current_async_library

from .guard import GuardedBackend, GuardedResolver
from .settings import ConnectionSettings
from .tls import client_context


@asynccontextmanager
async def open_client(label: str, settings: ConnectionSettings, *, guarded: bool) -> AsyncGenerator[httpx.AsyncClient]:
    """A client with a pool of its own; a guarded one connects to public addresses only, and by no proxy."""
    context = client_context(
        settings.ca,
        settings.cert,
        settings.key,
        settings.key_password,
        verify=not settings.unsafe_no_verify,
        where=label,
    )
    proxy = None if guarded or settings.proxy is None else httpx.Proxy(settings.proxy.get_secret_value())
    fast = proxy is None and current_async_library() == "asyncio"  # aiohttp has its own idea of a proxy's credentials
    transport = _aiohttp(settings, context, guarded) if fast else _httpx(settings, context, proxy, guarded)
    timeout = httpx.Timeout(settings.timeout, connect=settings.connect_timeout, pool=settings.timeout)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # else one message would see those of another
    async with httpx.AsyncClient(
        transport=transport, timeout=timeout, trust_env=False, cookies=no_cookies, follow_redirects=False
    ) as client:
        client.headers = httpx.Headers({"accept-encoding": client.headers["accept-encoding"], "user-agent": "routekit"})
        yield client


def _aiohttp(settings: ConnectionSettings, context: ssl.SSLContext, guarded: bool) -> AiohttpTransport:
    connector = aiohttp.TCPConnector(
        ssl=context,
        limit=settings.connections,
        keepalive_timeout=settings.keep_alive,
        resolver=GuardedResolver() if guarded else ThreadedResolver(),
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Content-Type",),
        trust_env=False,
    )
    return AiohttpTransport(client=session, verify=context, trust_env=False)


def _httpx(
    settings: ConnectionSettings, context: ssl.SSLContext, proxy: httpx.Proxy | None, guarded: bool
) -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(
        max_connections=settings.connections,
        max_keepalive_connections=settings.connections,
        keepalive_expiry=settings.keep_alive,
    )
    transport = _Transport(verify=context, limits=limits, proxy=proxy, trust_env=False)
    if guarded:
        transport._pool = httpcore.AsyncConnectionPool(  # pyright: ignore[reportPrivateUsage]  # httpx offers no backend of one's own
            ssl_context=context,
            max_connections=settings.connections,
            max_keepalive_connections=settings.connections,
            keepalive_expiry=settings.keep_alive,
            network_backend=GuardedBackend(),
        )
    return transport


class Chunks(httpx.AsyncByteStream):
    """A body as it comes. httpx would put a generator around it, unfinished when a connection breaks, which trio minds.

    Who made the chunks closes them.
    """

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


class _Transport(httpx.AsyncHTTPTransport):
    """Sends bytes without such a generator, too."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; see httpx."""
        if isinstance(request.stream, httpx.ByteStream):
            request.stream = _Bytes(request.content)
        return await super().handle_async_request(request)


class _Bytes(httpx.AsyncByteStream):
    """Bytes in one piece, as often as they are asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __aiter__(self) -> "_Piece":
        return _Piece(self._data)


class _Piece:
    def __init__(self, data: bytes) -> None:
        self._left = data

    def __aiter__(self) -> "_Piece":
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        piece, self._left = self._left, b""
        return piece
