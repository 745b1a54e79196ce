"""The control API as an ASGI application, with the console beside it."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..access import Access
from ..errors import BadOption, BodyError, RouteKitError, did_you_mean
from ..operating.desk import Desk, Operator
from ..operating.door import Door
from ..operating.letter_desk import LetterDesk
from ..options import options_wrong
from .answers import Live, Ready
from .flood import App, Buckets, Receive, Scope, Sending, TooLarge, TooSlow
from .gate import LIVE, Gate
from .openapi import document
from .operations import Asked, Operation, operations
from .refusing import TOO_LARGE, TOO_SLOW, Refused, refusal, refused

_log = logging.getLogger("routekit.control")

CHANGES = "X-RouteKit"
"""The header that a POST without JSON has to have, where no token is shown: no form of a foreign page can send it."""

CALLED = "X-RouteKit-As"
"""The header in which a client says how the audit shall call it, percent-encoded."""

_API = ("/api/", "/health", "/metrics")


def application(
    desk: Desk,
    letters: LetterDesk,
    door: Door,
    access: Access,
    *,
    version: str = "0",
    console: App | None = None,
    metrics: Callable[[], Awaitable[str]] | None = None,
) -> App:
    """All that the daemon serves: the API, health and metrics, and the console, if there is one, everywhere else."""
    api = _Api(desk, letters, door, version, metrics).app()

    async def either(scope: Scope, receive: Receive, send: Sending) -> None:
        mine = console is None or scope["path"].startswith(_API)
        await (api if mine else cast("App", console))(scope, receive, send)

    return Gate(either, door, access, Buckets(access.rate))


class _Api:
    """Answers what is asked of the API."""

    def __init__(
        self,
        desk: Desk,
        letters: LetterDesk,
        door: Door,
        version: str,
        metrics: Callable[[], Awaitable[str]] | None,
    ) -> None:
        self._desk = desk
        self._letters = letters
        self._door = door
        self._metrics = metrics
        self._operations = operations()
        self._version = version
        self._document: dict[str, Any] | None = None

    def app(self) -> App:
        """The application itself."""
        routes = [self._routed(operation) for operation in self._operations]
        plain: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/openapi.json": self._openapi,
            "/health": self._health,
            LIVE: self._live,
            "/health/ready": self._ready,
            "/metrics": self._measured,
            "/": self._welcome,
        }
        routes = [*(Route(path, _told(handle), methods=["GET"]) for path, handle in plain.items()), *routes]
        return Starlette(routes=routes, exception_handlers={HTTPException: _lost})

    def _routed(self, operation: Operation) -> Route:
        takes, answer = operation.takes, TypeAdapter[Any](operation.answer)

        async def handle(request: Request) -> Response:
            by = self._admitted(request)
            read = _queried if operation.method == "GET" else _posted
            given = await read(request, takes)
            asked = Asked(self._desk, self._letters, by, request.path_params, given)
            found = await operation.handle(asked)
            return _json(answer.dump_json(found))

        return Route(operation.path, _told(handle), methods=[operation.method])

    def _admitted(self, request: Request) -> Operator:
        """Who asks; raises _Denied if he may not come in, or may have been sent by a page of somebody else."""
        token = _token(request)
        by = self._door.admitted(token, unquote(request.headers.get(CALLED, "")))
        if by is None:
            found = "that is not the right token" if token else "a token is needed"
            raise _Denied(401, found, "send the header Authorization: Bearer TOKEN; see [control] in the settings")
        if token is None and request.method == "POST" and not _own(request):
            raise _Denied(403, "a form of a page may change nothing here", f"send JSON, or the header {CHANGES}: 1")
        return by

    async def _openapi(self, request: Request) -> Response:
        self._admitted(request)
        self._document = self._document or document(self._operations, self._version)
        return JSONResponse(self._document)

    async def _live(self, request: Request) -> Response:
        return _json(Live().model_dump_json().encode())

    async def _ready(self, request: Request) -> Response:
        health = await self._desk.health()
        waits = [part.name for part in health.parts if not part.ok and part.kind != "endpoint"]
        shown = Ready(ready=health.ready, waits=waits)
        return _json(shown.model_dump_json().encode(), 200 if health.ready else 503)

    async def _health(self, request: Request) -> Response:
        self._admitted(request)
        health = await self._desk.health()
        return _json(health.model_dump_json().encode(), 200 if health.ready else 503)

    async def _measured(self, request: Request) -> Response:
        self._admitted(request)
        if self._metrics is None:
            raise _Denied(404, "this daemon counts nothing", "")
        return PlainTextResponse(await self._metrics(), media_type="text/plain; version=0.0.4")

    async def _welcome(self, request: Request) -> Response:
        text = "RouteKit runs. There is no console here; the control API is below /api, see /api/openapi.json.\n"
        return PlainTextResponse(text)


class _Denied(Exception):
    """A request that is refused before anybody is asked."""

    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        headers = {"www-authenticate": "Bearer"} if status == 401 else {}
        self.refused = Refused(status, error, hint, "UnknownName" if status == 404 else "Rejected", headers)


def _told(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The same, whose errors are answers."""

    async def answering(request: Request) -> Response:
        try:
            return await handle(request)
        except _Denied as denied:
            return refusal(denied.refused)
        except RouteKitError as error:
            return refusal(refused(error))
        except (TooLarge, TooSlow) as error:
            return refusal(TOO_LARGE if isinstance(error, TooLarge) else TOO_SLOW)
        except Exception as error:  # of whatever kind: the daemon goes on, and who looks after it reads of it
            _log.exception("%s %s failed", request.method, request.url.path)
            return refusal(Refused(500, f"it failed inside: {type(error).__name__}", "the daemon's log says more"))

    return answering


async def _lost(request: Request, error: Exception) -> Response:
    """For a path or method that there is not."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        paths = [operation.public for operation in operations()]
        hint = did_you_mean(request.url.path, paths) if request.url.path.startswith("/api") else "see /api/openapi.json"
        return refusal(Refused(404, f"there is no {request.url.path[:200]}", hint, "UnknownName"))
    return refusal(Refused(status, f"{request.url.path[:200]} is not asked by {request.method}", "", "BadOption"))


async def _queried(request: Request, takes: Any) -> Any:
    """The query of a request as its model; raises BadOption."""
    many = {name for name, field in takes.model_fields.items() if "tuple" in str(field.annotation)}
    query = request.query_params
    return _made(takes, {name: query.getlist(name) if name in many else query[name] for name in query})


async def _posted(request: Request, takes: Any) -> Any:
    """The body of a request as its model; raises BadOption, and BodyError for what is no JSON object."""
    text = await request.body()
    try:
        data: Any = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise BodyError("the body is no JSON object", hint='write {"name": value}')
    return _made(takes, cast("dict[str, Any]", data))


def _made(takes: Any, values: dict[str, Any]) -> Any:
    for name in values:
        if name not in takes.model_fields:
            raise BadOption(f"there is no '{name[:100]}' to be said here", hint=did_you_mean(name, takes.model_fields))
    try:
        return takes.model_validate(values)
    except ValidationError as error:
        raise BadOption(options_wrong(error), hint="see /api/openapi.json") from None


def _token(request: Request) -> str | None:
    """The token that is shown; empty if it is shown in a way that is not known."""
    shown = request.headers.get("authorization")
    if shown is None:
        return None
    scheme, _, token = shown.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _own(request: Request) -> bool:
    """Whether no form of a foreign page can have sent this: a browser asks us first, and we say no."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or request.headers.get(CHANGES) == "1"


def _json(data: bytes, status: int = 200) -> Response:
    return Response(data, status, {"cache-control": "no-store"}, media_type="application/json")
