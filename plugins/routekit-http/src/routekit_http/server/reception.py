"""Reception: a request is let in, becomes a message, and gets its answer."""

import logging
from collections.abc import Mapping
from math import inf
from typing import Any, Protocol

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from routekit import Codec, Deliver, Message, Unavailable, said

from ..values import TRACING
from .forms import query_of
from .gate import Gate
from .incoming import Incoming, Stream, whole
from .outgoing import response_of
from .problems import Refusal, problem_of

_CHALLENGE = 1000
"""Characters of a challenge that are sent back."""

_log = logging.getLogger("routekit.http")


class Answering(Protocol):
    """What a reception has to know of its endpoint."""

    @property
    def reply(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def keep(self) -> tuple[str, ...]: ...
    @property
    def id_header(self) -> str: ...
    @property
    def most(self) -> int: ...
    @property
    def read_timeout(self) -> float: ...


class Reception:
    """Lets requests in while it is open.

    Requests are tasks of the server. Their messages live no longer than `open`: when that is cancelled, they are, and
    it ends after them. Answers are written outside of that, so a stop does not cut off the last of them.
    """

    def __init__(
        self, endpoint: Answering, incoming: Incoming, gate: Gate, json: Codec, deliver: Deliver, status: int | None
    ) -> None:
        self.requests = 0
        self._endpoint = endpoint
        self._incoming = incoming
        self._gate = gate
        self._json = json
        self._deliver = deliver
        self._status = status
        self._keep = [(name.encode(), f"http.header.{name}") for name in endpoint.keep]
        self._keep += [(name.encode(), name) for name in TRACING]
        self._id_header = endpoint.id_header.lower().encode()
        self._inside: set[anyio.CancelScope] = set()
        self._left = anyio.Event()

    def __len__(self) -> int:
        return len(self._inside)

    async def open(self) -> None:
        """Let requests in until cancelled."""
        try:
            await anyio.sleep_forever()
        finally:
            for scope in self._inside:
                scope.cancel()
            with anyio.CancelScope(shield=True):
                while self._inside:
                    self._left = anyio.Event()
                    await self._left.wait()

    async def answer(self, request: Request, params: Mapping[str, str]) -> Response:
        """The answer to a request; an error is one, too."""
        self.requests += 1
        try:
            if len(self._inside) >= self._endpoint.most:
                raise Unavailable("too many requests are at work")  # noqa: TRY301 - it is answered like any other
            challenge = self._gate.challenged(request)
            if challenge is not None:
                return PlainTextResponse(challenge[:_CHALLENGE])
            reply = await self._inner(request, params)
            endpoint = self._endpoint
            silent = endpoint.reply == "none"
            return response_of(
                reply, self._json, status=self._status, silent=silent, content_type=endpoint.content_type
            )
        except Exception as error:  # whatever a route raises is the caller's to know
            response = problem_of(error)
            if response.status_code == 500:
                _log.error("%s %s failed: %s: %s", request.method, request.url.path, type(error).__name__, said(error))
            return response

    async def _inner(self, request: Request, params: Mapping[str, str]) -> Message[Any] | None:
        with anyio.CancelScope() as scope:
            self._inside.add(scope)
            try:
                return await self._admitted(request, params, scope)
            finally:
                self._inside.discard(scope)
                self._left.set()
        if anyio.current_time() >= scope.deadline:
            raise Refusal(408, connection="close")
        raise Unavailable("the route was stopped")

    async def _admitted(
        self, request: Request, params: Mapping[str, str], scope: anyio.CancelScope
    ) -> Message[Any] | None:
        """The reply; the scope has a deadline while the content is waited for."""
        heads: dict[bytes, bytes] = dict(reversed(request.scope["headers"]))  # of two with one name the first counts
        headers = self._headers(request, params, heads)
        if self._gate.wants_claims:
            headers["http.claims"] = dict(await self._gate.claims(request) or ())
        id_ = heads.get(self._id_header, b"").decode("latin-1") if self._id_header else ""
        self._incoming.check(heads)
        if self._incoming.kind == "stream":
            return await self._deliver(Message(Stream(self._incoming.stream(request)), headers, id_))
        if whole(request):
            raw = await self._incoming.raw(request)
        else:
            scope.deadline = anyio.current_time() + self._endpoint.read_timeout
            raw = await self._incoming.raw(request)
            scope.deadline = inf
        proof = self._gate.proof(request, raw)
        body = raw if self._incoming.kind == "raw" else await self._incoming.body(request, raw, params)
        if proof is None:
            return await self._deliver(Message(body, headers, id_))
        if self._gate.served(proof):
            return None
        reply = await self._deliver(Message(body, headers, id_))
        self._gate.replays.done(proof)
        return reply

    def _headers(self, request: Request, params: Mapping[str, str], heads: Mapping[bytes, bytes]) -> dict[str, Any]:
        scope = request.scope
        headers: dict[str, Any] = {"http.method": scope["method"], "http.path": scope["path"]}
        for name, kept in self._keep:
            if name in heads:
                headers[kept] = heads[name].decode("latin-1")
        client = scope["client"]
        if client is not None:
            headers["http.client"] = client[0]
        if params:
            headers["http.params"] = dict(params)
        if scope["query_string"]:
            headers["http.query"] = query_of(request)
        return headers
