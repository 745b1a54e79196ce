"""The events of one path: those who listen get each, and who comes back gets what it has missed."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from routekit import Unavailable

from ..server.app import App
from ..server.gate import Gate
from ..server.problems import Refusal, problem_of
from ..server.table import Entry
from ..server.templates import template_of

_LAST = "last-event-id"


class _Listener:
    """Who listens: events wait here until they are written."""

    def __init__(self, waiting: list[bytes]) -> None:
        self.waiting = deque(waiting)
        self.news = anyio.Event()
        self.over = False

    def give(self, data: bytes) -> None:
        self.waiting.append(data)
        self.news.set()

    def end(self) -> None:
        self.over = True
        self.news.set()


class Channel:
    """Gives events to all who listen. `keep` events are kept for those who come back, `buffer` may wait for each."""

    def __init__(self, app: App, path: str, jwt: str, keep: int, buffer: int, heartbeat: float, most: int) -> None:
        self.dropped = 0
        self.missed = 0
        self._app = app
        self._path = path
        self._buffer = buffer
        self._heartbeat = heartbeat
        self._most = most
        self._kept: deque[tuple[str, bytes]] = deque(maxlen=keep)
        self._listeners: set[_Listener] = set()
        self._entries = ExitStack()
        self._gate: Gate | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    def serve(self, route: str, gate: Gate) -> None:
        """Answer from now on, until `close`; a second time changes nothing."""
        if self._gate is None:
            self._entries.enter_context(
                self._app.table.entered(Entry(route, ("GET",), template_of(self._path), self._answer))
            )
            self._gate = gate

    def close(self) -> None:
        """End all streams; those who listen will come back."""
        self._entries.close()
        for listener in self._listeners:
            listener.end()

    def send(self, id: str, data: bytes) -> None:
        """Give an event to all who listen; who is too slow for it is dropped, and may come back."""
        self._kept.append((id, data))
        for listener in self._listeners:
            if len(listener.waiting) < self._buffer:
                listener.give(data)
            elif not listener.over:
                self.dropped += 1
                listener.waiting.clear()
                listener.end()

    async def _answer(self, request: Request, _: Mapping[str, str]) -> Response:
        try:
            if self._gate is None:
                raise Unavailable("not yet")  # noqa: TRY301 - it is answered like any other
            await self._gate.claims(request)
            if len(self._listeners) >= self._most:
                raise Unavailable("too many listen")  # noqa: TRY301 - as above
        except (Refusal, Unavailable) as error:
            return problem_of(error)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        stream = self._stream(request.headers.get(_LAST, ""))
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _stream(self, last: str) -> AsyncIterator[bytes]:
        listener = _Listener(self._after(last))
        self._listeners.add(listener)
        try:
            yield b": hello\n\n"
            while True:
                while listener.waiting:
                    yield listener.waiting.popleft()
                if listener.over:
                    return
                listener.news = anyio.Event()
                with anyio.move_on_after(self._heartbeat) as silent:
                    await listener.news.wait()
                if silent.cancelled_caught:
                    yield b": still here\n\n"
        finally:
            self._listeners.discard(listener)

    def _after(self, last: str) -> list[bytes]:
        """What somebody has missed who has seen the event `last`: all that is kept, if that event is not any more."""
        if not last:
            return []
        ids = [known for known, _ in self._kept]
        if last not in ids:
            self.missed += 1
            return [data for _, data in self._kept]
        index = len(ids) - ids[::-1].index(last)
        return [data for _, data in list(self._kept)[index:]]


@asynccontextmanager
async def open_channel(
    app: App, path: str, jwt: str, keep: int, buffer: int, heartbeat: float, most: int
) -> AsyncGenerator[Channel]:
    """The channel of a path, which all routes share that send to it."""
    channel = Channel(app, path, jwt, keep, buffer, heartbeat, most)
    try:
        yield channel
    finally:
        channel.close()
