"""Journaling: the messages of a durable route are in the store from their arrival until they are finished.

Made anew each time that the route starts. What the route leaves behind, because the process died or the store did not
answer, is taken up again: at the start, and every now and then.

Over 300 lines, since arrival, effects, checkpoints and end of a message write to one journal, by one owner.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

import anyio

from ..errors import BodyError, Rejected, RouteKitError, StoreError
from ..events import Logged
from ..fitting import Fit
from ..message import Delivery, Message
from ..route import REMEMBER, Policy, Route
from ..step import Handler, Runtime, finish
from ..store import Arrival, Entry, Shared
from ..written import read, result_read, result_text, unkept_text, written
from .binding import Enter, GiveUp
from .processing import Processing
from .recording import Recording, key_of, loaded, recording, recording_is, recording_was

PAGE = 200
"""Entries that are read from the journal at once."""

SWEEP = 30.0
"""Seconds between two looks for what other processes have left, or this one could not finish."""

BROUGHT = ""
"""The text of an entry for what a step brings: the step itself has it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Point:
    """A checkpoint of the route: where a message goes on, and how it is read."""

    number: int
    read: Callable[[str], Message[Any]]
    enter: Handler[Any]


class Left(Delivery[Any]):
    """A message that the journal has from before; nobody waits to be told what becomes of it."""

    __slots__ = ("born", "entry")

    def __init__(self, message: Message[Any], entry: Entry, born: float, error: Exception | None = None) -> None:
        super().__init__(message, error=error)
        self.entry = entry
        self.born = born


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that is in the journal now, to be handled."""

    message: Message[Any]
    recording: Recording


class Journaling:
    """The journal of one route, as the route works with it."""

    def __init__(self, route: Route, policy: Policy, runtime: Runtime, fit: Fit | None) -> None:
        self._route = route.name
        self._runtime = runtime
        self._journal = runtime.store.journal(route.name)
        self._owner = runtime.store.owner
        self._remember = REMEMBER if policy.remember is None else policy.remember
        self._fit = fit
        self._points: dict[str, _Point] = {}
        self._steps: dict[str, int] = {}
        self._prefix = f"{UUID(int=runtime.random.getrandbits(128)).hex[:12]}-"
        self._numbers = count(1)
        self._here: set[str] = set()  # the ids that are being handled
        self._fresh: set[str] | None = None  # those that came while a page was read
        self._stuck: dict[str, Recording] = {}  # what is known of those that could not be finished
        self._main: Processing | None = None
        self._brought: list[Processing] = []

    def ways(self, main: Processing, brought: list[Processing]) -> None:
        """Say how messages are handled: from the source, and from each place where they enter otherwise."""
        self._main, self._brought = main, brought

    async def arrived(self, message: Message[Any]) -> Arrived | None:
        """Put a message into the journal; None for one that is there already, or was.

        Raises BodyError for a body that cannot be kept, and StoreError if the store does not take it.
        """
        if not message.id:
            message = Message(message.body, message.headers, f"{self._prefix}{next(self._numbers)}", message.meta)
        born = self._runtime.now()
        text = written(message, born, fit=self._fit)
        known = message.id in self._here
        self._came(message.id)
        try:
            arrival = await self._journal.add(message.id, text, owner=self._owner)
        except BaseException:
            if not known:
                self._here.discard(message.id)
            raise
        if arrival is Arrival.NEW:
            return Arrived(message, Recording(message.id, born))
        if not known:
            self._here.discard(message.id)
        self._tell("info", f"message {message.id} is here once more, and is not handled again")
        return None

    def _came(self, id: str) -> None:
        self._here.add(id)
        if self._fresh is not None:
            self._fresh.add(id)

    async def handle(self, arrived: Arrived) -> None:
        """Handle a message that is in the journal, to its end; what cannot end stays there."""
        assert self._main is not None
        await self._handled(arrived.recording, self._main, arrived.message, None)

    async def go_on(self, left: Left) -> None:
        """Handle a message that was left, from its checkpoint."""
        assert self._main is not None
        entry = left.entry
        self._came(entry.id)
        try:
            known = self._stuck.pop(entry.id, None) or loaded(entry, left.born, await self._journal.effects(entry.id))
        except StoreError as error:  # it is still there, for the next time
            self._here.discard(entry.id)
            return self._stays(entry.id, error)
        point = self._points.get(entry.place)
        processing = self._main if point is None else self._brought[point.number - 1]
        return await self._handled(known, processing, left.message, left.error)

    async def released(self, message: Message[Any], entry: int, run: Callable[[], Awaitable[T]]) -> T | None:
        """Run what the route itself brings, such as a group: its effects are recorded, and it ends once.

        It is the step that brings it again after a crash, so the journal only knows of it. Raises what `run` raises,
        and StoreError.
        """
        known_as = f"{message.id} at {entry}"
        arrival = await self._journal.add(known_as, BROUGHT, owner=self._owner)
        if arrival is Arrival.FINISHED:
            return None
        known = Recording(known_as, 0.0)
        if arrival is Arrival.OPEN:
            await self._journal.adopt(known_as, owner=self._owner)
            known.effects.update(await self._journal.effects(known_as))
        token = recording_is(known)
        try:
            reply = await run()
            await self._finish(known)
            return reply
        finally:
            recording_was(token)

    async def _handled(
        self, known: Recording, processing: Processing, message: Message[Any], error: Exception | None
    ) -> None:
        token = recording_is(known)
        try:
            if not known.done:
                known.broken = None
                await processing.process(message, error)
                known.done = True
            await self._finish(known)
        except Exception as refused:  # its dead letter could not be kept, or its end not be written
            self._stuck[known.id] = known
            self._stays(known.id, refused)
        finally:
            recording_was(token)
            self._here.discard(known.id)

    async def _finish(self, known: Recording) -> None:
        await self._journal.finish(known.id, owner=self._owner, remember=self._remember)

    def _stays(self, id: str, error: Exception) -> None:
        text = f"message {id} stays in the journal for now: {type(error).__name__}: {error}"
        self._tell("error", text)

    async def left(self, most: int | None = None) -> AsyncGenerator[Left]:
        """What the journal has that nobody works at, oldest first; `most` entries are looked at."""
        after, limit = 0, min(PAGE, most or PAGE)
        while page := await self._page(after, limit):
            for entry in page:
                if entry.id not in self._here and entry.message != BROUGHT:
                    yield self._taken(entry)
            after = page[-1].number
            if most is not None:
                return

    async def _page(self, after: int, limit: int) -> list[Entry]:
        """Some entries, but those that are being handled, or were when the page was read: they may be done by now."""
        try:
            while True:
                fresh = self._fresh = set(self._here)
                entries = await self._journal.take(owner=self._owner, limit=limit, after=after)
                found = [entry for entry in entries if entry.id not in fresh]
                if found or len(entries) < limit:
                    return found
                after = entries[-1].number
        finally:
            self._fresh = None

    def _taken(self, entry: Entry) -> Left:
        """A message as it can be handled; what cannot be read, or has no place any more, has an error."""
        try:
            kept = read(entry.message)
        except RouteKitError as error:
            return Left(Message(entry.message, id=entry.id), entry, entry.at, _misfit(entry, error))
        if not entry.place:
            return Left(kept.message, entry, kept.born)
        point = self._points.get(entry.place)
        if point is None:
            hint = "bring the checkpoint back and replay it, or edit the letter"
            gone = Rejected(f"the route has no checkpoint '{entry.place}' any more", hint=hint)
            return Left(kept.message, entry, kept.born, gone)
        try:
            return Left(point.read(entry.message), entry, kept.born)
        except RouteKitError as error:
            return Left(kept.message, entry, kept.born, _misfit(entry, error))

    def news(self) -> anyio.Event | None:
        """Set when another process gives something up, if the store tells that. Ask for it before looking for it."""
        store = self._runtime.store
        return store.changed("journal", self._route) if isinstance(store, Shared) else None

    async def prune(self) -> None:
        """Forget the ids that need not be remembered any more."""
        await self._journal.prune(before=self._runtime.now())

    def end(self, end: Handler[Any]) -> Handler[Any]:
        """The end of the route, which no branch has: `finish` is that of many."""
        return _ended if end is finish else end

    def once(
        self, act: Callable[..., Awaitable[Any]], step: str, *, answered: bool, last: bool
    ) -> Callable[..., Awaitable[Any]]:
        """The same, but done once for a message, however often that is handled; the answer is kept if it is used.

        The last one is not recorded: the end of the message is written at the same moment.
        """
        self._steps[step] = number = self._steps.get(step, 0) + 1
        name = step if number == 1 else f"{step} ({number})"

        async def effect(message: Message[Any], **options: Any) -> Any:
            known = recording()
            if known is None:
                return await act(message, **options)
            turn = known.turn(name, message.id)
            key = key_of(name, message.id, turn)
            if key in known.effects:
                await self._record(known, key)
                return result_read(known.effects[key])
            try:
                reply = await act(message, **options)
            except BaseException:
                known.failed(name, message.id, turn)
                raise
            if last and message.id == known.id:  # of a part, the end of the whole is yet to come
                known.effects[key] = ""
                return reply
            known.effects[key], unkept = _kept(reply) if answered else ("", None)
            known.unrecorded.add(key)
            await self._record(known, key)
            if unkept is not None:
                raise unkept
            return reply

        return effect

    async def _record(self, known: Recording, key: str) -> None:
        if key not in known.unrecorded:
            return
        try:
            await self._journal.record(known.id, key, known.effects[key], owner=self._owner)
        except StoreError as error:
            known.broken = error
            raise
        known.unrecorded.discard(key)
        if not known.unrecorded:
            known.broken = None

    def entered(self, inner: Enter) -> Enter:
        """How messages enter the route: one that has passed a checkpoint goes on there, at each try."""
        return lambda handler: self._entered(inner(handler))

    def _entered(self, handler: Handler[Any]) -> Handler[Any]:
        def enter(message: Message[Any]) -> Awaitable[Message[Any] | None]:
            known = recording()
            if known is None or known.id != message.id:
                return handler(message)
            known.begin()
            meta = message.meta.changed(received=known.born) if known.again else message.meta
            if not known.place:
                return handler(message.with_meta(meta) if known.again else message)
            point = self._points[known.place]
            return point.enter(point.read(known.kept).with_meta(meta))

        return enter

    def checkpoint(self, place: str, fit: Fit, proceed: Handler[Any], number: int, enter: Enter) -> Handler[Any]:
        """The handler of a checkpoint: it keeps the message as it is, and goes on."""

        def kept(text: str) -> Message[Any]:
            message = read(text).message
            return message.with_body(fit(message.body))

        self._points[place] = _Point(number, kept, enter(proceed))

        async def handle(message: Message[Any]) -> Message[Any] | None:
            known = recording()
            if known is not None and known.id == message.id:
                text = written(message, known.born, fit=fit)
                try:
                    await self._journal.checkpoint(known.id, place, text, owner=self._owner)
                except StoreError as error:
                    known.broken = error
                    raise
                known.moved(place, text)
            return await proceed(message)

        return handle

    def giving_up(self, give_up: GiveUp) -> GiveUp:
        """The same, for a message that may have passed a checkpoint: its letter goes on there when it is replayed.

        While the journal does not take what has happened, no message is given up: it stays.
        """

        async def kept(message: Message[Any], error: Exception, channel: Handler[Any] | None, entry: int) -> None:
            known = recording()
            if known is not None and known.broken is not None:
                raise known.broken
            point = None if known is None or known.id != message.id else self._points.get(known.place)
            if known is not None and point is not None:
                with suppress(BodyError):  # it does not fit any more, which is why it is given up
                    message, entry = point.read(known.kept).with_meta(message.meta), point.number
            await give_up(message, error, channel, entry)

        return kept

    def _tell(self, level: str, text: str) -> None:
        self._runtime.emit(Logged(self._route, level, text))


async def _ended(message: Message[Any]) -> Message[Any] | None:
    return message


def _kept(reply: Message[Any] | None) -> tuple[str, BodyError | None]:
    """An answer as text, and what is wrong if it cannot be kept: it has been given all the same."""
    try:
        return result_text(reply), None
    except BodyError as error:
        return unkept_text(error), error


def _misfit(entry: Entry, error: RouteKitError) -> Exception:
    where = f"at checkpoint '{entry.place}'" if entry.place else "when it arrived"
    return BodyError(f"the message was kept {where}, and cannot be read any more: {error}")
