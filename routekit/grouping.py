"""What `aggregate`, `batch` and `debounce` share: messages are kept by key, and a complete group goes on as one.

A message is done once it is kept durably; with a store in memory, once its group is done. A group is closed, released
and then forgotten, so that after a crash in between it is found again; the ids of its messages are remembered for a
while, so that a redelivered message does not open a group anew.

Over 300 lines, since whatever opens, closes and releases a group, here or in another process, is one bookkeeping.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Literal, TypeAlias

import anyio

from .errors import LateMessage, StoreError
from .inheriting import whenever_one_dies
from .isolation import isolated
from .keeping import Keeping
from .message import Message
from .step import Handler, Hold, Runtime
from .store import Adding, Group

Late: TypeAlias = Literal["new", "refuse", "drop"]
"""What a message does that comes after the group of its key was closed: it opens a new group, is refused, or ends."""

REMEMBER = 3600.0
"""Seconds for which a released group is remembered, if nothing else is asked for."""

_EVERY = "every"

_FRESH = 0.5
"""Seconds for which a look at the groups of all processes is new enough for the timers that ring meanwhile."""


@dataclass(frozen=True)
class Grouped:
    """A group that goes on: why, and its messages, whose bodies are plain data again."""

    name: str
    number: int
    key: str
    by: str
    messages: Sequence[Message[Any]]

    def message(self) -> Message[Any]:
        """One message with the list of the bodies, the headers that all have in common, and what the group was."""
        headers = dict(self.messages[0].headers) if self.messages else {}
        for one in self.messages[1:]:
            headers = {name: value for name, value in headers.items() if one.headers.get(name, _EVERY) == value}
        group = {"group.key": self.key, "group.size": len(self.messages), "group.by": self.by}
        return Message([one.body for one in self.messages], headers | group, f"{self.name}#{self.number}")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How the groups of a step are kept; times in seconds."""

    joined: Callable[[Grouped], Message[Any]] = Grouped.message
    wait: Callable[[Message[Any], Group], Awaitable[float | None]] | None = None
    """How long a group waits, after this message, for the next one."""
    every: float | None = None
    remember: float = REMEMBER
    late: Late = "new"
    latest: bool = False
    most: int = 10_000
    at_stop: Literal["keep", "release"] = "keep"
    parallel: int = 1


class Grouping:
    """The groups of one step, made anew each time that its route starts."""

    def __init__(self, name: str, keeping: Keeping, enter: Handler[Any], rules: Rules, runtime: Runtime) -> None:
        self._name = name
        self._keeping = keeping
        self._rules = rules
        self._runtime = runtime
        self._groups = runtime.store.groups(name)
        self._owner = f"{runtime.store.owner}/{runtime.route}"
        self._remember = rules.remember if runtime.store.durable or rules.late != "new" else 0.0
        self._entry = runtime.entry(enter)
        self._hold = runtime.holding()
        self._held: dict[int, list[Hold]] = {}
        self._open: dict[int, str] = {}  # the key of each open group, oldest first
        self._numbers: dict[str, int] = {}  # and the other way round
        self._bodies: dict[int, list[Any]] = {}  # of the open groups that somebody looks at
        self._closed: dict[int, str] = {}  # those that are being released
        self._loaded = anyio.Event()
        self._slots = anyio.Semaphore(rules.parallel)
        self._alarms = runtime.alarms(self._ring, load=self._load)
        self._shares = whenever_one_dies(runtime, name, self._take_up)
        self._others: dict[int, float] = {}  # open groups that other processes may add to, and their last message then
        self._looked = (-inf, dict[int, Group]())
        self._ticking = False
        if rules.at_stop == "release":
            runtime.closing(partial(self._close_all, "stop"))
        runtime.offer("flush", name, self.flush)
        runtime.offer("stats", name, self.stats)

    async def keep(
        self, key: str, message: Message[Any], *, full: int | None = None, wait: float | None = None
    ) -> Group | None:
        """Keep a message in its group, and give that; None if the group is on its way already, or takes no more.

        The group waits `wait` seconds for the next one, if that is given; else as its rules say.
        Raises BodyError for a body that would not come back, and LateMessage if late ones are refused.
        """
        text = self._keeping.text(message)
        if not self._loaded.is_set():
            await self._loaded.wait()
        await self._make_room(key)
        if self._hold is not None:
            return await self._keep(key, message, text, full, wait)
        with anyio.CancelScope(shield=True):  # a deadline must not leave a group behind that nobody here knows of
            return await self._keep(key, message, text, full, wait)
        raise AssertionError("not cancelled from outside")

    async def _keep(
        self, key: str, message: Message[Any], text: str, full: int | None, wait: float | None
    ) -> Group | None:
        rules = self._rules
        adding, group = await self._groups.add(
            key, message.id, text, owner=self._owner, full=full, reopen=rules.late == "new", latest=rules.latest
        )
        if adding is Adding.LATE and rules.late == "refuse":
            hint = "wait longer for all of a group, or say late='new' or late='drop'"
            raise LateMessage(f"{self._name}: the group of key '{key}' is closed", hint=hint)
        if adding in (Adding.LATE, Adding.RELEASED):
            return None
        self._hold_for(group.number, new=adding is Adding.NEW)
        if adding is Adding.CLOSED or group.number in self._closed:
            return None
        self._opened(group.number, key)
        if not group.closed:
            await self._set_alarm(group, message, wait)
        return group

    def holds_back(self, group: Group) -> None:
        """End the holds of all messages of a group but the last: it has taken their place."""
        held = self._held.get(group.number, [])
        for hold in held[:-1]:
            hold.done()
        del held[:-1]

    async def bodies(self, number: int, *, size: int | None = None, last: Any = None) -> Sequence[Any]:
        """The bodies in a group, as they came; with the last one and the size the store need not be asked again."""
        known = self._bodies.setdefault(number, [])
        if size is not None:
            known.append(isolated(last))
        if not known or size not in (None, len(known)):  # it grew before this start, or in another process
            known[:] = [self._keeping.message(text).body for text in await self._groups.messages(number)]
        return known

    def number_of(self, key: str) -> int | None:
        """The number of the open group of a key."""
        return self._numbers.get(key)

    def others(self, key: str) -> list[int]:
        """The open groups of other keys, oldest first."""
        return [number for number, other in self._open.items() if other != key]

    async def release(self, number: int, by: str) -> None:
        """Close a group and let it go on; returns when it has, or is a dead letter."""
        released = await self.close(number, by)
        if released is not None:
            await released.wait()

    async def close(self, number: int, by: str, *, full: bool = False) -> anyio.Event | None:
        """Close a group and begin to let it go on; None if somebody does already. A `full` one is closed by itself.

        It goes on in a task of its own, so that a caller's deadline does not end it half way.
        """
        key = self._open.pop(number, None)
        if key is None:
            return None
        self._closed[number] = key
        if self._numbers.get(key) == number:
            del self._numbers[key]
        worked = self._alarms.working()  # before the alarm is gone, which may be the last thing the route waits for
        self._alarms.cancel(str(number))
        self._others.pop(number, None)
        self._bodies.pop(number, None)
        try:
            mine = full or await self._groups.close(number, owner=self._owner)
        except BaseException as error:
            if isinstance(error, StoreError):
                del self._closed[number]
                self._opened(number, key)
            worked()
            raise
        if not mine:
            worked()
            return self._lost(number)
        return self._begin(number, key, by, worked)

    async def flush(self, key: str | None = None) -> int:
        """Let the open groups go on, or that of one key; returns how many: `control:flush?name=...&key=...`."""
        numbers = list(self._open) if key is None else [n for n, other in self._open.items() if other == key]
        for number in numbers:
            await self.release(number, "flush")
        return len(numbers)

    async def stats(self) -> Mapping[str, Any]:
        """How many groups are open, and how many are on their way: `control:stats?name=...`."""
        return {"open": len(self._open), "releasing": len(self._closed)}

    def _begin(self, number: int, key: str, by: str, worked: Callable[[], None]) -> anyio.Event:
        done = anyio.Event()
        self._runtime.spawn(partial(self._release, number, key, by, done, worked))
        return done

    def _lost(self, number: int) -> None:
        """Another process has it."""
        del self._closed[number]

    async def _release(self, number: int, key: str, by: str, done: anyio.Event, worked: Callable[[], None]) -> None:
        try:
            async with self._slots:
                messages = [self._keeping.raw(text) for text in await self._groups.messages(number)]
                group = self._rules.joined(Grouped(self._name, number, key, by, messages))
                held = self._held.setdefault(number, [])
                await self._runtime.release(group, entry=self._entry, held=held)
                await self._groups.remove(number, remember=self._remember)
        finally:
            self._closed.pop(number, None)
            self._held.pop(number, None)
            done.set()
            worked()

    async def _make_room(self, key: str) -> None:
        """With as many groups as there may be, the oldest goes on early: waiting might be for ever."""
        while len(self._open) >= self._rules.most and key not in self._numbers:
            await self.release(next(iter(self._open)), "most")

    def _hold_for(self, number: int, *, new: bool) -> None:
        """Hold the message being handled; a redelivered one only if its group is still here."""
        if self._hold is not None and (new or number in self._open or number in self._closed):
            self._held.setdefault(number, []).append(self._hold())

    def _opened(self, number: int, key: str) -> None:
        self._open[number] = key
        self._numbers[key] = number
        if self._rules.every is not None and not self._ticking:
            self._ticking = True
            now = self._runtime.now()
            self._alarms.set(_EVERY, now + self._rules.every - now % self._rules.every)

    async def _set_alarm(self, group: Group, message: Message[Any], wait: float | None = None) -> None:
        if wait is None and self._rules.wait is not None:
            wait = await self._rules.wait(message, group)
        if wait is not None and group.number in self._open:
            self._alarms.set(str(group.number), group.last + wait)

    async def _set_alarm_again(self, group: Group) -> None:
        """A group that fits the route no more goes on at once: it becomes a dead letter that says why."""
        *_, last = await self._groups.messages(group.number)
        try:
            await self._set_alarm(group, self._keeping.message(last))
        except StoreError:
            raise
        except Exception:  # of the author's function, or of a body of an older type
            self._alarms.set(str(group.number), 0.0)

    async def _load(self) -> None:
        """What an earlier run has left: open groups go on waiting, closed ones are released again."""
        for group in await self._groups.all():
            if not group.closed:
                self._opened(group.number, group.key)
                await self._follow(group)
            elif group.owner == self._owner:
                self._closed[group.number] = group.key
                self._alarms.set(str(group.number), 0.0)
        self._loaded.set()

    async def _take_up(self) -> None:
        """What a dead process has left: its open groups are waited for here too, its closed ones are released here."""
        await self._loaded.wait()
        before = {*self._open, *self._closed}
        for group in await self._groups.all():
            if group.number in before or group.number in self._open or group.number in self._closed:
                continue
            if not group.closed and (self._rules.wait is not None or self._rules.every is not None):
                self._opened(group.number, group.key)
                await self._follow(group)
            elif group.closed and group.owner == self._owner:
                self._closed[group.number] = group.key
                self._alarms.set(str(group.number), 0.0)

    async def _follow(self, group: Group) -> None:
        """Set the timer of a group that this process has found."""
        if self._shares:
            self._others[group.number] = group.last
        if self._rules.wait is not None:
            await self._set_alarm_again(group)

    async def _put_off(self, number: int) -> bool:
        """Whether another process has added to a group since its timer was set here, or has it by now."""
        found = await self._now(number)
        if found is None or found.closed:
            self._others.pop(number, None)
            key = self._open.pop(number, None)
            if key is not None and self._numbers.get(key) == number:
                del self._numbers[key]
            return True
        if found.last == self._others[number]:
            return False
        await self._follow(found)
        return True

    async def _now(self, number: int) -> Group | None:
        """A group as it is now; timers that ring together share a look."""
        if anyio.current_time() - self._looked[0] > _FRESH:
            self._looked = (anyio.current_time(), {group.number: group for group in await self._groups.all()})
        return self._looked[1].get(number)

    async def _ring(self, key: str) -> None:
        if key == _EVERY:
            self._ticking = False
            await self._close_all("every")
        elif int(key) in self._others and int(key) in self._open and await self._put_off(int(key)):
            return
        elif int(key) in self._closed:
            await self._begin(int(key), self._closed[int(key)], "restart", self._alarms.working()).wait()
        else:
            await self.release(int(key), "timeout")

    async def _close_all(self, by: str) -> None:
        for number in list(self._open):
            await self.release(number, by)


def many(proceed: Handler[list[Any]], keeping: Keeping) -> Handler[list[Any]]:
    """Where groups enter: the bodies in the list become what they were when they were kept."""
    return lambda message: proceed(message.with_body([keeping.body(one) for one in message.body]))


def alone(proceed: Handler[Any], keeping: Keeping) -> Handler[Any]:
    """Where a single message enters that was kept."""
    return lambda message: proceed(message.with_body(keeping.body(message.body)))
