"""What `delay`, `hand_over` and `resequence` share: each message waits by itself, and then goes on through the route.

A message is done once it is kept durably; with a store in memory, once the rest of the route is. It is closed, released
and then forgotten, so that after a crash in between it is found again; its id is remembered for a while, so that a
redelivered message changes nothing.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import anyio

from .fitting import fitting
from .inheriting import whenever_one_dies
from .keeping import Keeping
from .message import Message
from .step import Handler, Hold, Runtime
from .store import Adding, Group
from .tasks import together

K = TypeVar("K")

REMEMBER = 3600.0
"""Seconds for which the id of a released message is remembered."""

_READERS = 32
"""Tasks that read at the same time when a route starts, so that a store can share the work."""


class Waiting:
    """The messages that wait in one step, made anew each time that its route starts; `most` of them at a time.

    `load` is given those that an earlier run has left, before the first new one is kept; and later those that are here
    since another process has died, unless `inherit` is to have these.
    """

    def __init__(
        self,
        name: str,
        body: Any,
        proceed: Handler[Any],
        runtime: Runtime,
        *,
        most: int,
        load: Callable[[Sequence[Group]], Awaitable[None]],
        ring: Callable[[str], Awaitable[None]],
        inherit: Callable[[Sequence[Group]], Awaitable[None]] | None = None,
    ) -> None:
        keeping = Keeping(body, fitting(body))
        self._keeping = keeping
        self._runtime = runtime
        self._groups = runtime.store.groups(name)
        self._owner = f"{runtime.store.owner}/{runtime.route}"
        self._entry = runtime.entry(lambda message: proceed(message.with_body(keeping.body(message.body))))
        self._here: dict[
            str, int
        ] = {}  # the keys of those that wait or are on their way, with the numbers of their groups
        self._keys: dict[int, str] = {}  # and the other way round
        self._going: set[int] = set()
        self._hold = runtime.holding()
        self._held: dict[int, list[Hold]] = {}  # by group, in memory only
        self._load = load
        self._loaded: anyio.Event | None = anyio.Event()
        self._quiet: anyio.Event | None = None
        self._closed = False
        self.room = Room(most)
        self.alarms = runtime.alarms(ring, load=self._load_all)
        self._inherit = inherit or load
        if self._hold is None:
            whenever_one_dies(runtime, name, self._take_up)
        runtime.closing(self._close)

    @property
    def ended(self) -> bool:
        """Whether nothing is released any more, since the route stops and nobody needs room."""
        return self._closed or (self._runtime.stopping and not self.room.wanted)

    @property
    def waiting(self) -> Sequence[int]:
        """The messages that wait, in the order in which they came."""
        return [number for number in self._keys if number not in self._going]

    @property
    def going(self) -> int:
        """How many messages are on their way."""
        return len(self._going)

    def has(self, key: str) -> bool:
        """Whether a message of that key waits or is on its way."""
        return key in self._here

    async def loaded(self) -> None:
        """Wait until what an earlier run has left is known."""
        if self._loaded is not None:
            await self._loaded.wait()

    async def room_for(self, key: str) -> None:
        """Wait until there is room; a message that is here already needs none."""
        while self.room.full and key not in self._here:
            await self.room.change()

    async def keep(self, key: str, message: Message[Any], note: str = "") -> Group | None:
        """Keep the message that is being handled, and give its group; None if one of that key and id is here already.

        It waits for nothing but the store, so the caller looks for room before. Raises BodyError for a body that would
        not come back.
        """
        text = self._text(message, note)
        await self.loaded()
        self.room.take()
        new = False
        try:
            adding, group = await self._add(key, message.id, text)
            new = adding in (Adding.NEW, Adding.AGAIN) and group.number not in self._keys
        finally:
            if not new:
                self.room.leave()
        if new:  # a message that is here again, but not known here, was kept by a call that failed for its caller
            self._here[key] = group.number
            self._keys[group.number] = key
        if self._hold is not None and (new or group.number in self._held):
            self._held.setdefault(group.number, []).append(self._hold())
        return group if new else None

    async def knows(self, key: str, message: Message[Any]) -> bool:
        """Whether this message is on its way already, or was, as far as that is remembered; it is not kept.

        The store is asked by keeping it for a moment: a crash in between leaves a message as every other.
        """
        if self._hold is not None:
            return False  # what is in memory comes again only if it was refused
        adding, group = await self._add(key, message.id, self._text(message, ""))
        if adding in (Adding.CLOSED, Adding.RELEASED) or group.number in self._keys:
            return True
        await self._groups.remove(group.number)
        return False

    async def release(self, number: int, done: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run a message through the rest of the route; then await `done`, and forget the message.

        Nothing is done if it is on its way already, is released by another process, or if the route has ended: then it
        goes on waiting. Raises what prevents the end of the message.
        """
        if self.ended or number in self._going or number not in self._keys:
            return
        self._going.add(number)
        self.room.leave()
        try:
            await self._release(number, done)
        finally:
            self._going.remove(number)
            key = self._keys.pop(number)
            if self._here[key] == number:
                del self._here[key]
            if self._quiet is not None and not self._going:
                self._quiet.set()

    async def drop(self, number: int, *, known: bool) -> None:
        """Forget a message that waits no more; its id too, if it is not `known` to have gone on."""
        key = self._keys.pop(number, None)
        if key is not None:
            del self._here[key]
            self.room.leave()
        await self._groups.remove(number, remember=REMEMBER if known else 0.0)

    async def notes(self, groups: Sequence[Group]) -> Sequence[tuple[Group, str]]:
        """The messages with the note that each was kept with."""
        notes: dict[int, str] = {}
        left = iter(groups)

        async def read() -> None:
            for group in left:
                for text in await self._groups.messages(group.number):
                    notes[group.number] = text.partition("\n")[0]

        async with together() as tasks:
            for _ in range(min(_READERS, len(groups))):
                tasks.start_soon(read)
        return [(group, notes[group.number]) for group in groups if group.number in notes]

    async def _release(self, number: int, done: Callable[[], Awaitable[None]] | None) -> None:
        if not await self._groups.close(number, owner=self._owner):
            return
        for text in await self._groups.messages(number):
            if self._hold is not None:  # first: a refused one may come again before its release has returned
                await self._groups.remove(number)
            message = self._keeping.raw(text.partition("\n")[2])
            await self._runtime.release(message, entry=self._entry, held=self._held.pop(number, ()))
        if done is not None:
            await done()
        await self._groups.remove(number, remember=REMEMBER if self._hold is None else 0.0)

    def _text(self, message: Message[Any], note: str) -> str:
        return f"{note}\n{self._keeping.text(message)}"

    async def _add(self, key: str, id: str, text: str) -> tuple[Adding, Group]:
        """Shielded, since a deadline must not leave a message behind that nobody here knows of."""
        with anyio.CancelScope(shield=True):
            return await self._groups.add(key, id, text, owner=self._owner)
        raise AssertionError("not cancelled from outside")

    async def _load_all(self) -> None:
        groups = await self._groups.all()
        if self._hold is None:
            left = [group for group in groups if group.owner in ("", self._owner)]
            for group in left:
                self._here[group.key] = group.number
                self._keys[group.number] = group.key
                self.room.take()
            await self._load(left)
        else:  # an earlier start of the route has left them unacknowledged: they come again
            for group in groups:
                await self._groups.remove(group.number)
        if self._loaded is not None:
            self._loaded.set()
            self._loaded = None

    async def _take_up(self) -> None:
        """What a dead process has left; each message is released by the process that closes its group first."""
        await self.loaded()
        before = set(self._keys)
        found = [
            group
            for group in await self._groups.all()
            if group.owner in ("", self._owner) and group.number not in before and group.number not in self._keys
        ]
        for group in found:
            self._here[group.key] = group.number
            self._keys[group.number] = group.key
            self.room.take()
        if found:
            await self._inherit(found)

    async def _close(self) -> None:
        """Release no more, and wait until those that were released are forgotten."""
        self._closed = True
        while self._going:
            self._quiet = anyio.Event()
            await self._quiet.wait()


class Workers(Generic[K]):
    """Tasks that work things off in the order of their coming, at most `most` at a time."""

    def __init__(self, most: int, work: Callable[[K], Awaitable[None]], runtime: Runtime) -> None:
        self._most = most
        self._work = work
        self._runtime = runtime
        self._ready: deque[K] = deque()
        self._running = 0
        self._idle = anyio.Event()

    async def add(self, thing: K) -> None:
        """Work it off, and all that come meanwhile: the first that is called returns when nothing is left."""
        self._ready.append(thing)
        if self._running == self._most:
            return
        self._running += 1
        if self._running > 1:
            self._runtime.spawn(self._run)
            return
        self._idle = anyio.Event()
        await self._run()
        await self._idle.wait()

    async def _run(self) -> None:
        while self._ready:
            await self._work(self._ready.popleft())
        self._running -= 1
        if not self._running:
            self._idle.set()


class Room:
    """Places for so many messages; who finds none waits."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._freed: anyio.Event | None = None

    @property
    def full(self) -> bool:
        """Whether there is no place."""
        return self._free <= 0

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return self._freed is not None

    async def change(self) -> None:
        """Wait until a place was given back."""
        self._freed = self._freed or anyio.Event()
        await self._freed.wait()

    def take(self) -> None:
        """Take a place, even if there is none."""
        self._free -= 1

    def leave(self) -> None:
        """Give a place back."""
        self._free += 1
        freed, self._freed = self._freed, None
        if freed is not None:
            freed.set()
