"""How a WebSocket is connected to: by a connection of the settings with its login, or by a whole URL."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from routekit import DefinitionError, Runtime

from ..connection import connection_of
from ..settings import ConnectionSettings, connection_settings
from ..targets import placed, target_of
from ..tls import client_context
from ..values import headers_of, pairs_of
from .wire import Wire, connected

_WEB = {"ws": "http", "wss": "https"}
_SOCKET = {"http": "ws", "https": "wss"}


class Dialing:
    """Knows where to connect to, and as whom."""

    def __init__(self, scheme: str, target: str, runtime: Runtime, most: int, ping: float) -> None:
        self._runtime = runtime
        self._target = target_of(_WEB[scheme], target)
        self._most = most
        self._ping = ping
        if self._target.connection:
            self._settings = connection_settings(runtime, self._target.connection)
        else:
            self._settings = ConnectionSettings(url=self._target.origin)
        if self._settings.proxy is not None:
            hint = "give it a connection of its own, without proxy"
            raise DefinitionError(f"{scheme}:{target}: a WebSocket goes by no proxy", hint=hint)

    @asynccontextmanager
    async def opened(self, query: Mapping[str, Any] | None, headers: Mapping[str, Any] | None) -> AsyncGenerator[Wire]:
        """A connection that is open; raises HttpUnavailable or HttpRejected."""
        settings, target = self._settings, self._target
        label = target.connection or target.origin
        connection, _ = await connection_of(self._runtime, label, settings)
        url = httpx.URL(placed(target, settings.url, None)).copy_merge_params(list(pairs_of(query or {})))
        request = httpx.Request("GET", url, headers=[*settings.headers, *headers_of(headers or {})])
        if connection.signer is not None:
            await connection.signer.sign(request)
        own = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        context = client_context(
            settings.ca,
            settings.cert,
            settings.key,
            settings.key_password,
            verify=not settings.unsafe_no_verify,
            where=label,
        )
        url = request.url.copy_with(scheme=_SOCKET[request.url.scheme])
        seconds = settings.connect_timeout
        async with connected(url, own, context, seconds=seconds, most=self._most, ping=self._ping) as wire:
            yield wire
