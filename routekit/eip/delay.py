"""Delayer: a message waits until its time has come, and then goes on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ..callables import called, calling, name_of
from ..conduct import Conduct
from ..demands import amount, whole
from ..errors import BodyError, DefinitionError
from ..keeping import name_and_body_checked
from ..message import Message
from ..step import Handler, Onward, Runtime, Step
from ..store import Group
from ..waiting import Waiting, Workers

T = TypeVar("T")

_END = 1e11
"""A time after this, in the year 5138, was meant in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Delay(Step[T, T]):
    """EIP "Delayer". The time is settled when the message comes, and survives a restart with it."""

    keeps = True
    name: str
    body: Any
    by: float | Callable[..., Any] | None = None
    until: Callable[..., Any] | None = None
    most: int = 100_000
    workers: int = 1

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "delay")
        if (self.by is None) == (self.until is None):
            raise DefinitionError(f"delay '{self.name}' waits for no time", hint="give either by or until")
        if not (self.by is None or callable(self.by)):
            amount(f"delay '{self.name}': by", self.by, least=0)
            if self.by >= _END:
                raise DefinitionError(f"delay '{self.name}': by is {self.by}", hint="give seconds")
        if not (self.until is None or callable(self.until)):
            raise DefinitionError(f"delay '{self.name}': until is {self.until!r}", hint="write a function of the body")
        for option in ("most", "workers"):
            whole(f"delay '{self.name}': {option}", getattr(self, option))

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        return _Delaying(self, proceed, runtime).handle

    def behaves(self) -> Conduct:
        fixed = not callable(self.by) and self.until is None
        return Conduct(order="yes" if fixed and self.workers == 1 else "no")

    @property
    def label(self) -> str:
        if self.until is not None:
            return f"delay({self.name} until {name_of(self.until)})"
        return f"delay({self.name} by {name_of(self.by) if callable(self.by) else f'{self.by:g} s'})"

    @property
    def onward(self) -> Onward:
        return "later"

    def state(self) -> str | None:
        return self.name


class _Delaying:
    """The messages that one step delays."""

    def __init__(self, step: Delay[Any], proceed: Handler[Any], runtime: Runtime) -> None:
        self._proceed = proceed
        self._now = runtime.now
        self._due = _due(step, runtime.now)
        self._waiting = Waiting(
            step.name, step.body, proceed, runtime, most=step.most, load=self._load, ring=self._ring
        )
        self._workers = Workers(step.workers, self._waiting.release, runtime)
        runtime.offer("flush", step.name, self.flush)
        runtime.offer("stats", step.name, self.stats)

    async def handle(self, message: Message[Any]) -> Message[Any] | None:
        """Keep a message until it is due."""
        due = await self._due(message)
        await self._waiting.loaded()
        if due <= self._now() and not self._waiting.has(message.id):
            return await self._proceed(message)
        await self._waiting.room_for(message.id)
        group = await self._waiting.keep(message.id, message, note=repr(due))
        if group is not None:
            self._set(group.number, due)
        return None

    async def flush(self) -> int:
        """Let all go on now; returns how many: `control:flush?name=...`."""
        numbers = self._waiting.waiting
        for number in numbers:
            self._set(number, 0.0)
        return len(numbers)

    async def stats(self) -> Mapping[str, Any]:
        """How many wait: `control:stats?name=...`."""
        return {"waiting": len(self._waiting.waiting)}

    def _set(self, number: int, due: float) -> None:
        self._waiting.alarms.set(_key(number), due)

    async def _load(self, groups: Sequence[Group]) -> None:
        for group, note in await self._waiting.notes(groups):
            self._set(group.number, float(note))

    async def _ring(self, key: str) -> None:
        await self._workers.add(int(key))


def _key(number: int) -> str:
    """The key of a timer: as a text it sorts like the number, so that equal times ring in the order of arrival."""
    return f"{number:016}"


def _due(step: Delay[Any], now: Callable[[], float]) -> Callable[[Message[Any]], Awaitable[float]]:
    """When a message is due, in seconds since 1970; raises BodyError for what is no time."""
    call = calling(step.by) if callable(step.by) else None
    until = None if step.until is None else calling(step.until)

    async def due(message: Message[Any]) -> float:
        if until is not None:
            return _time(await called(until, message))
        seconds = step.by if call is None else await called(call, message)
        if not isinstance(seconds, int | float) or not -_END < seconds < _END - now():
            raise BodyError(f"the message is to be delayed by {seconds!r}", hint="give a number of seconds")
        return now() + seconds

    return due


def _time(value: object) -> float:
    if value is None:
        return 0.0
    seconds = value.timestamp() if isinstance(value, datetime) and value.tzinfo is not None else value
    if isinstance(seconds, int | float) and -_END < seconds < _END and not isinstance(seconds, bool):
        return seconds
    hint = "give a datetime with a time zone, seconds (not milliseconds) since 1970, or None"
    raise BodyError(f"the message is to be delayed until {value!r}", hint=hint)
