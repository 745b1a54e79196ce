"""The sinks `http:` and `https:`: each message is a request, and its answer comes back."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from routekit import About, Capabilities, Message, Runtime, Send

from .about import SINK
from .answers import HttpAnswer, Reading, selected
from .calls import Call
from .connection import Connection, Guarded, connection_of
from .content import Content, content_of
from .errors import HttpConflict, HttpRejected, HttpUnavailable
from .probing import found_at
from .requests import Requests
from .settings import ConnectionSettings, connection_settings
from .targets import placed
from .values import TRACING, headers_of, pairs_of

_SAME_AGAIN = ("PUT", "DELETE", "GET", "HEAD", "OPTIONS")
"""Methods that are idempotent (RFC 9110, section 9.2.2)."""


class HttpSink(Requests):
    """Sends each message as a request to a connection of the settings, or to a whole URL.

    Delivered once an answer with a status of `ok` is here, within the time of the connection. Statuses of
    `unavailable`, timeouts and broken connections are tried again by the policy; others are refused for good. A
    `Retry-After` holds for all requests of the connection. The answer has the body as bytes, `http.status`, and the
    headers of `keep`; it is none for 204 and `absent`. No header of a message is sent that `forward` does not name,
    but where its trace goes on, if something follows it.
    """

    scheme = "http"
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True)
    advice: ClassVar[Mapping[str, str]] = {"idempotent": "method=put, or idempotency_key=message if the API knows it"}
    about: ClassVar[About] = SINK
    raises: ClassVar[tuple[type[Exception], ...]] = (HttpRejected, HttpConflict, HttpUnavailable)

    def promises(self) -> Capabilities:
        """By HTTP, what PUT, DELETE or GET do is the same after the second time, as it is by a key for the API."""
        again = self.method in _SAME_AGAIN or self.idempotency_key == "message"
        return self.capabilities.model_copy(update={"idempotent": again})

    async def probe(self, runtime: Runtime) -> str:
        """What answers at the beginning of the connection, asked with HEAD."""
        return await found_at(runtime, self.to)

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """A send function; nothing is asked before the first message. Raises DefinitionError for wrong settings."""
        target = self.to
        if target.connection:
            settings = connection_settings(runtime, target.connection)
        else:
            settings = ConnectionSettings(url=target.origin or "http://anywhere.invalid")
        connection, guarded = await connection_of(runtime, target.connection or target.origin, settings)
        sending = _Sending(self, runtime, connection, guarded)
        with runtime.metered(self, {"requests_total": lambda: connection.requests, "at_work": lambda: sending.at_work}):
            yield sending.send


class HttpsSink(HttpSink):
    """As `http:`, to a whole URL."""

    scheme = "https"


class _Sending:
    """Makes a request of each message, and the answer of what comes back."""

    def __init__(self, sink: Requests, runtime: Runtime, connection: Connection, guarded: Guarded) -> None:
        self.at_work = 0
        self._sink = sink
        self._target = sink.to
        self._base = connection.settings.url
        self._route = runtime.route
        self._connection = connection
        self._guarded = guarded
        self._codec = None if sink.codec is None else runtime.codec(sink.codec)
        self._json = runtime.codec("json")
        most = sink.max_answer or connection.settings.max_answer
        self._reading = Reading(sink.ok, sink.absent, sink.unavailable, most)

    async def send(self, message: Message[Any], **options: Any) -> Message[Any] | None:
        """Ask, and give the answer; see `HttpSink`."""
        call = await self._call(message, options)
        file: Path | None = options.get("save", self._sink.save)

        async def read(response: Any) -> HttpAnswer | None:
            return await self._reading.read(call, response, self._connection.now(), file)

        self.at_work += 1
        try:
            answer = await self._connection.exchange(call, self._guarded, read)
        finally:
            self.at_work -= 1
        return None if answer is None else self._answered(message, answer, file)

    def _answered(self, message: Message[Any], answer: HttpAnswer, file: Path | None) -> Message[Any] | None:
        headers = {**message.headers, **selected(answer, self._sink.keep)}
        if self._sink.result == "full":
            return message.with_body(answer).with_headers(headers)
        if file is None and answer.status in (204, 205):
            return None
        return message.with_body(answer.body if file is None else file).with_headers(headers)

    async def _call(self, message: Message[Any], options: Mapping[str, Any]) -> Call:
        sink = self._sink
        method: str = options.get("method", sink.method)
        url: str | None = options.get("url", sink.url)
        if url is None and not (self._target.connection or self._target.origin):
            raise HttpRejected(f"{sink.scheme}:* is sent to no URL", hint="write url=lambda body: ...")
        query = [*pairs_of(sink.query or {}), *pairs_of(options.get("query") or {})]
        return Call(
            method,
            url or placed(self._target, self._base, options.get("path", sink.path)),
            tuple(query),
            tuple(self._headers(message, options)),
            await self._content(message, method, options),
            sink.timeout,
            foreign=url is not None,
            private=sink.allow_private,
            redirects=sink.redirects,
        )

    async def _content(self, message: Message[Any], method: str, options: Mapping[str, Any]) -> Content:
        sink = self._sink
        own = "body" in options or "body" in sink.model_fields_set
        body = options.get("body", sink.body) if own else message.body
        kind = "json" if sink.content == "auto" and own and not _plain(body) else sink.content
        return await content_of(body, kind, method, self._codec, self._json)

    def _headers(self, message: Message[Any], options: Mapping[str, Any]) -> list[tuple[str, str]]:
        sink = self._sink
        forward = sink.forward if message.meta.trace is None else (*sink.forward, *TRACING)
        found: dict[str, Any] = {name: message.headers[name] for name in message.headers if name.lower() in forward}
        found |= {**(sink.headers or {}), **(options.get("headers") or {})}
        key = options.get("idempotency_key", sink.idempotency_key)
        if key == "message" and "idempotency_key" not in options:
            key = sha256(f"{self._route}\0{sink}\0{message.id}".encode()).hexdigest()[:32]
        extra = {
            sink.idempotency_header: key,
            "if-match": options.get("if_match", sink.if_match),
            "if-none-match": options.get("if_none_match", sink.if_none_match),
            "content-type": sink.content_type or None,
        }
        return headers_of({**found, **extra})


def _plain(body: object) -> bool:
    """Whether a body goes as it is."""
    return body is None or isinstance(body, bytes | bytearray | str | Path) or hasattr(body, "__aiter__")
