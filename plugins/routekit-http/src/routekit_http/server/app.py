"""The application of one address: finds who answers, and answers itself what nobody does."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from .openapi import document
from .problems import RETRY_AFTER, problem
from .settings import ServerSettings
from .table import SOCKET, Table

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_PARAMS: Mapping[str, str] = {}


class App:
    """An ASGI application with a table of routes; `url` is where it is."""

    def __init__(self, settings: ServerSettings, url: str) -> None:
        self.table = Table()
        self.sockets = Table()
        self.url = url
        self.origins = settings.cors_origins
        self._settings = settings
        self._asgi: ASGIApp = self._answer
        if settings.cors_origins:
            self._asgi = CORSMiddleware(
                self._answer,
                allow_origins=settings.cors_origins,
                allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
                allow_headers=settings.cors_headers,
                expose_headers=settings.cors_expose,
                allow_credentials=settings.cors_credentials,
                max_age=int(settings.cors_max_age),
            )

    @property
    def asgi(self) -> ASGIApp:
        """What a server calls."""
        return self._asgi

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        entry = self.table.fixed.get((scope["method"], scope["raw_path"]))
        response = await (self._response(request) if entry is None else entry.answer(request, _NO_PARAMS))
        response.raw_headers.append(_NOSNIFF)
        await response(scope, receive, send)

    async def _response(self, request: Any) -> Response:
        if request.method in ("GET", "HEAD") and self._settings.openapi and request.url.path == self._settings.openapi:
            return self._described()
        found = self.table.find(request.method, request.scope["raw_path"])
        if found.entry is not None:
            return await found.entry.answer(request, found.params)
        if found.allowed and request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ", ".join(found.allowed)})
        if found.away:
            return problem(503, headers={"retry-after": str(RETRY_AFTER)})
        if found.allowed:
            return problem(405, headers={"allow": ", ".join(found.allowed)})
        return problem(404)

    async def _socket(self, socket: WebSocket) -> None:
        found = self.sockets.find(SOCKET, socket.scope["raw_path"])
        if found.entry is not None:
            await found.entry.answer(socket, found.params)
        else:
            await socket.send_denial_response(problem(503 if found.away else 404))

    def _described(self) -> Response:
        """The routes that run, for those who want to call them."""
        known = [entry.description for entry in self.table.entries if entry.description is not None]
        found = document(known, title=self._settings.title, version=self._settings.version)
        return Response(json.dumps(found, ensure_ascii=False), media_type="application/json")
