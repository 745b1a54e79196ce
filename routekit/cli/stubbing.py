"""Stubs: what stands in memory for endpoints that cannot be reached while a developer works at routes.

What is sent to a stub is shown in the log, and read by the stubbed sources of that address. A stubbed source also takes
what the sample file of its route holds, each time that this is saved.
"""

import glob
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, cast

import anyio

from ..codec import Codec
from ..endpoint import Deliver, Endpoint, Producer, Source, Transactor, address_of
from ..errors import BodyError
from ..events import Event, Logged
from ..isolation import apart
from ..message import Delivery, Message
from ..options import masked
from ..placeholders import Lookup
from ..plugins import Catalog, Sink
from ..route import Route
from ..runtime.service import Service, Setup
from ..sensitive import masked_body
from ..standins import sink_twin, source_twin
from ..step import Runtime, Send, Target
from ..testing.ledger import Book, TwinTransactor
from ..twin import Twin

WITHIN = 3.0
"""Seconds that an endpoint has for its answer; one that takes longer is stubbed."""

_LOOK = 0.5
"""Seconds between two looks at a sample file."""

_SHOWN = 2000
"""Characters of a body that are shown."""


@dataclass(frozen=True)
class Stubbed:
    """An endpoint of a route that is stubbed, and why."""

    route: str
    endpoint: str
    why: str
    is_source: bool


@dataclass(eq=False)
class _Board:
    """What waits at the addresses of stubs, and which sample files were taken, by the time of their last change."""

    samples: Path
    waiting: dict[str, deque[Message[Any]]] = field(default_factory=dict[str, "deque[Message[Any]]"])
    taken: dict[Path, int] = field(default_factory=dict[Path, int])
    news: anyio.Event | None = None

    def put(self, address: str, message: Message[Any]) -> None:
        """Let the stubbed sources of an address have it, if there are any."""
        if address in self.waiting:
            self.waiting[address].append(message)
            if self.news is not None:
                self.news.set()

    async def rest(self) -> None:
        """Until something was put, or it is time to look at the sample files again."""
        if self.news is None or self.news.is_set():
            self.news = anyio.Event()
        with anyio.move_on_after(_LOOK):
            await self.news.wait()

    def read(self, route: str, random: Random) -> Iterator[Message[Any]]:
        """What the sample files of a route hold that was not taken yet; raises BodyError for one that is no JSON.

        Each time under ids of their own: who saves a file wants its messages handled once more.
        """
        for file in sorted(self.samples.glob(f"{glob.escape(route)}.*")):
            with suppress(OSError):  # it is just being written, or has gone
                changed = file.stat().st_mtime_ns
                if self.taken.get(file) != changed and (content := file.read_bytes()):
                    self.taken[file] = changed
                    for body in _bodies(file, content):
                        yield Message(body, {}, f"sample-{random.getrandbits(32):08x}")


def _bodies(file: Path, content: bytes) -> Sequence[Any]:
    """JSON is a body, or a list of them; anything else is one body as bytes."""
    if file.suffix != ".json":
        return [content]
    try:
        found = json.loads(content)
    except ValueError as error:
        raise BodyError(f"{file} is no JSON: {error}") from None
    return cast("list[Any]", found) if isinstance(found, list) else [found]


class Stubs(Catalog):
    """A catalog that has stubs for endpoints that are `away`, by their masked URIs."""

    def __init__(self, lookup: Lookup, samples: Path) -> None:
        super().__init__(lookup)
        self.away: set[str] = set()
        self._asked: set[tuple[str, str]] = set()
        self._board = _Board(samples)
        self._twins: dict[str, Twin] = {}
        self._fed: list[_Fed] = []
        self._shown: list[_Shown] = []
        self._books: dict[str, Book] = {}

    async def look(self, routes: Sequence[Route], setup: Setup) -> Sequence[Stubbed]:
        """Try every endpoint that was not tried yet, and stub those that cannot be reached; gives these."""
        real = Catalog(self.lookup)
        tried = replace(setup, catalog=real, store="memory:", watch=_unheard)
        sources = {route.name: masked(real.source(route.source).uri()) for route in routes}
        found: list[Stubbed] = []
        for one in await Service(routes, tried).probed(WITHIN):
            if (one.route, one.endpoint) not in self._asked and (not one.there or one.endpoint in self.away):
                self.away.add(one.endpoint)
                found.append(
                    Stubbed(
                        one.route, one.endpoint, " ".join(one.found.split()), sources.get(one.route) == one.endpoint
                    )
                )
            self._asked.add((one.route, one.endpoint))
        return found

    def source(self, target: Target) -> Source:
        real = super().source(target)
        if not self._is_away(real):
            return real
        fed = next((one for one in self._fed if one.endpoint == real), None)
        if fed is None:
            fed = _Fed(real, self._twin(real), self._board)
            self._fed.append(fed)
        return source_twin(real, fed, internal=real.internal)

    def sink(self, target: Target) -> Sink:
        found = super().sink(target)
        real = found.producer
        if not self._is_away(real):
            return found
        shown = next((one for one in self._shown if (one.endpoint, one.codec) == (real, found.codec)), None)
        if shown is None:
            shown = _Shown(real, found.codec, self._twin(real), self._board)
            self._shown.append(shown)
        return replace(found, producer=sink_twin(real, shown), codec=None)

    def transactor(self, target: Target) -> Transactor:
        real = super().transactor(target)
        if not self._is_away(real):
            return real
        return TwinTransactor(real=real, book=self._books.setdefault(address_of(real), Book()))

    def _is_away(self, endpoint: Endpoint) -> bool:
        return bool(self.away) and masked(endpoint.uri()) in self.away

    def _twin(self, endpoint: Endpoint) -> Twin:
        scheme = endpoint.scheme
        if scheme not in self._twins:
            self._twins[scheme] = self.twin(scheme)(self.codec)
        return self._twins[scheme]


@dataclass(eq=False)
class _Fed:
    """What a stubbed source gives."""

    endpoint: Source
    twin: Twin
    board: _Board

    def __post_init__(self) -> None:
        self._waiting = self.board.waiting.setdefault(self.twin.reads(self.endpoint), deque())

    async def deliveries(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        while True:
            while self._waiting:
                yield self._delivery(self._waiting.popleft(), runtime)
            try:
                for message in self.board.read(runtime.route, runtime.random):
                    yield self._delivery(message, runtime)
            except BodyError as error:
                runtime.emit(Logged(runtime.route, "error", str(error)))
            with runtime.resting():
                await self.board.rest()

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        async with aclosing(self.deliveries(runtime)) as deliveries:
            async for delivery in deliveries:
                error, reply = delivery.error, None
                try:
                    reply = await deliver(delivery.message) if error is None else None
                except Exception as failed:  # of the route: whoever called would be told
                    error = failed
                if error is not None and delivery.nack is not None:
                    await delivery.nack(error)
                elif reply is not None:
                    runtime.emit(Logged(runtime.route, "info", f"answers {_said(reply)}"))

    def _delivery(self, message: Message[Any], runtime: Runtime) -> Delivery[Any]:
        async def refused(error: Exception) -> None:
            text = f"refused {_said(message)}, which a stub does not bring again: {type(error).__name__}: {error}"
            runtime.emit(Logged(runtime.route, "error", masked(text)))

        try:
            return Delivery(self.twin.read(self.endpoint, message), None, refused)
        except BodyError as error:
            return Delivery(message, None, refused, error)


@dataclass(eq=False)
class _Shown:
    """What a stubbed sink does with what is sent to it."""

    endpoint: Producer
    codec: Codec | None
    twin: Twin
    board: _Board

    @asynccontextmanager
    async def __call__(self, runtime: Runtime) -> AsyncGenerator[Send]:
        where = masked(self.endpoint.uri())

        async def send(message: Message[Any], **options: Any) -> Message[Any] | None:
            kept = apart(message)
            written = self.twin.written(self.endpoint, kept, options) if self.codec is None else self._encoded(kept)
            with_options = f" {masked_body(options)}" if options else ""
            runtime.emit(Logged(runtime.route, "info", f"to the stub of {where}{with_options}: {_said(message)}"))
            for address in self.twin.sends(self.endpoint, written, cast("Mapping[str, Any]", options)):
                self.board.put(address, written)
            return self.twin.answer(self.endpoint, message, options)

        yield send

    def _encoded(self, message: Message[Any]) -> Message[Any]:
        assert self.codec is not None
        return message.with_body(self.codec.encode(message.body))


def _unheard(event: Event) -> None:
    pass


def _said(message: Message[Any]) -> str:
    """The body of a message on one line, in which what is sensitive is masked."""
    return json.dumps(masked_body(message.body, most=_SHOWN), ensure_ascii=False, default=str)
