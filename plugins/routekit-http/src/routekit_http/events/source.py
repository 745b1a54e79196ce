"""The sources `sse:` and `sses:`: the events of a stream, from where the last one was done."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any, ClassVar

import anyio
import httpx
from pydantic import BeforeValidator, Field, model_validator

from routekit import (
    About,
    Bytes,
    Capabilities,
    Consumer,
    Delivery,
    Logged,
    Message,
    PathField,
    Runtime,
    Seconds,
    Unavailable,
)

from ..about import EVENTS
from ..answers import chunks_of
from ..calls import Call
from ..connection import FAULTS, Connection, Guarded, connection_of
from ..errors import HttpUnavailable
from ..probing import found_at
from ..settings import ConnectionSettings, connection_settings
from ..targets import placed, target_of
from ..values import headers_of, pairs_of
from .parsing import Event, Parser, TooLong
from .place import Place


def _words(text: object) -> object:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if isinstance(text, str) else text


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""An option that is a comma list of words, as they are written."""

_KEY = "last-event-id"
_LONGEST = 300.0
"""Seconds that a server can ask to wait before another try, at most."""


class SseSource(Consumer):
    """Listens to a stream of events: each is a message, its data the body as bytes.

    The id of the last event that is done, as all before it, is kept in the store under `name`, and sent as
    Last-Event-ID whenever the stream is opened again: what was unfinished at a crash, or refused, comes again if the
    server still has it. What it has dropped is lost, and so is all that it sends without ids while nobody listens. The
    next event is read when the route has room for it. The source is exhausted when the server answers 204.
    """

    scheme: ClassVar[str] = "sse"
    web: ClassVar[str] = "http"
    singleton: ClassVar[bool] = True
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True)
    about: ClassVar[About] = EVENTS

    target: PathField = Field(description="NAME/path by a connection of the settings, or //host/path")
    name: str = Field(default="", description="the id of the last event is kept under this name; needed")
    events: Words = Field(default=(), description="comma list: types of events; others are passed by")
    query: Mapping[str, Any] | None = Field(default=None, description="query parameters, query.topic=orders")
    headers: Mapping[str, Any] | None = Field(default=None, description="headers of the request")
    retry: Seconds = Field(
        default=3.0, gt=0, description="seconds before a stream that has ended is opened again, until it says another"
    )
    silence: Seconds = Field(
        default=60.0, gt=0, description="seconds without a byte, not even a comment, after which it counts as broken"
    )
    max_event: Bytes = Field(
        default=1 << 20, gt=0, description="characters of an event at most: a longer one is an error"
    )

    @model_validator(mode="after")
    def _fits(self) -> "SseSource":
        target_of(self.web, self.target)
        if not self.name:
            raise ValueError("name=... is missing: the place in the stream is kept under it")
        return self

    async def probe(self, runtime: Runtime) -> str:
        """What answers at the beginning of the connection, asked with HEAD."""
        return await found_at(runtime, target_of(self.web, self.target))

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[bytes]]:
        """The events; see `Consumer.consume`."""
        target = target_of(self.web, self.target)
        if target.connection:
            settings = connection_settings(runtime, target.connection)
        else:
            settings = ConnectionSettings(url=target.origin)
        connection, guarded = await connection_of(runtime, target.connection or target.origin, settings)
        marks = runtime.store.marks(f"sse:{self.name}")

        async def save(id: str) -> None:
            await marks.put(_KEY, id)

        place = Place(save, await marks.get(_KEY) or "")
        listening = _Listening(self, runtime, connection, guarded, placed(target, settings.url, None), place)
        figures = {"opened_total": lambda: listening.opened, "events_total": lambda: listening.taken}
        with runtime.metered(self, figures):
            async with aclosing(listening.events()) as events:
                async for event in events:
                    if self.events and event.type not in self.events:
                        place.passed(event.id)
                        continue
                    await place.room()
                    yield self._delivery(event, place, listening)

    def _delivery(self, event: Event, place: Place, listening: "_Listening") -> Delivery[bytes]:
        taken = place.taken(event.id)

        async def ack(_: object) -> None:
            await place.done(taken)

        async def nack(_: object) -> None:
            listening.rewind()

        id_ = f"{self.name}/{event.id}" if event.own and len(event.id) <= 200 else ""
        headers = {"sse.event": event.type, "sse.id": event.id}
        return Delivery(Message(event.data.encode(), headers, id_), ack, nack)


class SsesSource(SseSource):
    """As `sse:`, of a whole URL by https."""

    scheme: ClassVar[str] = "sses"
    web: ClassVar[str] = "https"


class _Listening:
    """Opens the stream, again and again, from the last event that it has seen."""

    def __init__(
        self, source: SseSource, runtime: Runtime, connection: Connection, guarded: Guarded, url: str, place: Place
    ) -> None:
        self.opened = 0
        self.taken = 0
        self._source, self._runtime = source, runtime
        self._connection, self._guarded = connection, guarded
        self._url = url
        self._place = place
        self._id = place.id
        self._retry = source.retry
        self._wait = anyio.CancelScope()
        self._rewinds = False

    def rewind(self) -> None:
        """Open the stream again from the last event that is done."""
        self._rewinds = True
        self._wait.cancel()

    async def events(self) -> AsyncGenerator[Event]:
        """The events, until the server says that there are no more."""
        while True:
            async with self._stream() as response:
                if response is None:
                    return
                self.opened += 1
                parser = Parser(self._source.max_event, self._id)
                async with (
                    aclosing(self._chunks(response)) as chunks,
                    aclosing(self._parsed(parser, chunks)) as events,
                ):
                    async for event in events:
                        yield event
            self._retry = min(parser.retry or self._retry, _LONGEST)
            with self._runtime.resting():
                await anyio.sleep(self._retry)
            if self._rewinds:
                self._rewinds = False
                self._place.rewound()
                self._id = self._place.id

    async def _parsed(self, parser: Parser, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Event]:
        try:
            async for chunk in chunks:
                for event in parser.feed(chunk):
                    if self._rewinds:
                        return
                    self._id = event.id
                    self.taken += 1
                    yield event
        except TooLong:
            message = f"{self._source}: an event is longer than {self._source.max_event} characters"
            raise Unavailable(message, hint="raise max_event, if that is right") from None
        except HttpUnavailable as error:  # it was open: that is what streams do
            self._runtime.emit(Logged(self._runtime.route, "warning", f"{error.message}; it is opened again"))

    @asynccontextmanager
    async def _stream(self) -> AsyncGenerator[httpx.Response | None]:
        source = self._source
        headers = {"accept": "text/event-stream", "cache-control": "no-store", **(source.headers or {})}
        if self._id:
            headers["last-event-id"] = self._id
        call = Call("GET", self._url, tuple(pairs_of(source.query or {})), tuple(headers_of(headers)), endless=True)
        response = await self._connection.opened(call, self._guarded)
        try:
            yield _stream_of(response, call)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def _chunks(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        """What comes, until the stream ends or is to be opened again; raises HttpUnavailable if it breaks."""
        async with aclosing(chunks_of(response)) as chunks:
            while not self._rewinds:
                chunk = await self._chunk(chunks)
                if chunk is None:
                    return
                yield chunk

    async def _chunk(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        self._wait = anyio.CancelScope(deadline=anyio.current_time() + self._source.silence)
        chunk = None
        try:
            with self._wait, self._runtime.resting():
                chunk = await anext(chunks, None)
        except FAULTS as error:
            raise HttpUnavailable(f"{self._source}: the stream broke: {error}") from error
        if self._wait.cancelled_caught and not self._rewinds:
            raise HttpUnavailable(f"{self._source}: nothing came for {self._source.silence:g} s")
        return chunk


def _stream_of(response: httpx.Response, call: Call) -> httpx.Response | None:
    """The stream; None if there is none any more. Raises HttpUnavailable for anything else."""
    if response.status_code == 204:
        return None
    type_ = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code != 200 or type_ != "text/event-stream":
        found = f"{call} was answered {response.status_code} {type_}, asked for a stream of events"
        raise HttpUnavailable(found, status=response.status_code)
    return response
