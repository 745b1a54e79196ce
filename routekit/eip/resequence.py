"""Resequencer: numbered messages go on in the order of their numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic_core import from_json, to_json

from ..callables import called, calling, name_of
from ..conduct import Conduct
from ..demands import amount, one_of, whole
from ..errors import BodyError, DefinitionError, LateMessage
from ..events import GapSkipped
from ..keeping import name_and_body_checked
from ..keys import key_text
from ..message import Message
from ..sequencing import Numbering, Turn
from ..step import Handler, Onward, Runtime, Step
from ..store import Group
from ..waiting import Waiting, Workers

T = TypeVar("T")

Late: TypeAlias = Literal["pass", "refuse", "drop"]
"""What a message does whose place in the sequence was passed: it goes on at once, is refused, or ends."""

_MOMENT = 0.0001
"""Seconds by which a timer may be early: asked to ring again at once, it would do so for ever."""

_IDLE = 1000
"""So many sequences are known at least, also while nothing waits in them."""


@dataclass(frozen=True, kw_only=True)
class Resequence(Step[T, T]):
    """EIP "Resequencer" for a stream of messages.

    A message goes on when the one before it has, or when that was waited for long enough. The number that is next is
    written after a release and before the message is forgotten: a crash in between never goes back.
    """

    keeps = True
    name: str
    body: Any
    number: Callable[..., Any]
    gap: float
    start: int | None = None
    per: Callable[..., Any] | None = None
    most: int = 1000
    workers: int = 1
    late: Late = "pass"

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "resequence")
        amount(f"resequence '{self.name}': gap", self.gap, least=0)
        for option in ("most", "workers"):
            whole(f"resequence '{self.name}': {option}", getattr(self, option))
        if self.start is not None and type(self.start) is not int:
            raise DefinitionError(f"resequence '{self.name}': start is {self.start!r}", hint="it must be an int")
        one_of(f"resequence '{self.name}': late", self.late, ("pass", "refuse", "drop"))

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        return _Resequencing(self, proceed, runtime).handle

    def behaves(self) -> Conduct:
        drops = "those that are late" if self.late == "drop" else ""
        if self.late == "pass":
            return Conduct(order="no", drops=drops)
        alone = self.per is None or self.workers == 1
        return Conduct(order="yes" if alone else "per key", key=None if alone else self.per, sorts=True, drops=drops)

    @property
    def label(self) -> str:
        per = "" if self.per is None else f" per {name_of(self.per)}"
        return f"resequence({self.name} by {name_of(self.number)}{per})"

    @property
    def onward(self) -> Onward:
        return "later"

    def state(self) -> str | None:
        return self.name


@dataclass(slots=True, eq=False)
class _Line:
    """One sequence at work."""

    numbering: Numbering
    known: bool = False
    """Whether its next number has been read."""
    visitors: int = 0
    busy: bool = False
    """Whether messages are on their way."""

    @property
    def idle(self) -> bool:
        """Whether it may be forgotten, as its next number is written."""
        return self.numbering.idle and not (self.visitors or self.busy)


class _Resequencing:
    """The sequences of one step."""

    def __init__(self, step: Resequence[Any], proceed: Handler[Any], runtime: Runtime) -> None:
        self._step = step
        self._proceed = proceed
        self._runtime = runtime
        self._number = calling(step.number)
        self._per = None if step.per is None else calling(step.per)
        self._marks = runtime.store.marks(step.name)
        self._lines: dict[str, _Line] = {}
        self._waiting = Waiting(
            step.name,
            step.body,
            proceed,
            runtime,
            most=step.most,
            load=self._load,
            ring=self._ring,
            inherit=self._inherit,
        )
        self._workers = Workers(step.workers, self._go_on, runtime)
        runtime.offer("flush", step.name, self.flush)
        runtime.offer("stats", step.name, self.stats)

    async def handle(self, message: Message[Any]) -> Message[Any] | None:
        """Keep a message until its turn; one that is late goes its own way."""
        number = await called(self._number, message)
        if not isinstance(number, int) or isinstance(number, bool):
            raise BodyError(
                f"the number is {number!r}, asked of {name_of(self._step.number)}", hint="it must be an int"
            )
        key = ""
        if self._per is not None and self._step.per is not None:
            key = key_text(await called(self._per, message), self._step.per)
        await self._waiting.loaded()
        line = self._line(key)
        line.visitors += 1
        try:
            return await self._came(key, line, number, message)
        finally:
            line.visitors -= 1
            self._forget(key, line)

    async def flush(self, key: str | None = None) -> int:
        """Wait for no gap of what is here; returns how many sequences go on: `control:flush?name=...&key=...`."""
        found = 0
        for known_as, line in self._lines.items():
            if key in (None, known_as) and line.numbering.waiting:
                line.numbering.give_up(all_gaps=True)
                self._look(known_as, line)
                found += 1
        return found

    async def stats(self) -> Mapping[str, Any]:
        """How many messages wait, in how many sequences: `control:stats?name=...`."""
        waiting = [line.numbering.waiting for line in self._lines.values() if line.numbering.waiting]
        return {"waiting": sum(waiting), "sequences": len(waiting)}

    async def _came(self, key: str, line: _Line, number: int, message: Message[Any]) -> Message[Any] | None:
        await self._know(key, line)
        numbering = line.numbering
        known_as = to_json([key, number, message.id]).decode()
        while self._waiting.room.full and self._needs_room(known_as, number, numbering):
            self._press()
            await self._waiting.room.change()
        if numbering.late(number):
            return await self._late(known_as, number, message, numbering)
        numbering.announce(number)
        group = None
        try:
            group = await self._waiting.keep(known_as, message)
        finally:
            numbering.dismiss(number)
            if group is not None:
                numbering.add(number, group.number, group.first)
            self._look(key, line)
            if self._waiting.room.wanted:
                self._press()
        return None

    def _needs_room(self, known_as: str, number: int, numbering: Numbering) -> bool:
        """Not one that is here already, nor the next one: waiting for it is what takes the room."""
        return not (number == numbering.next or numbering.late(number) or self._waiting.has(known_as))

    async def _late(
        self, known_as: str, number: int, message: Message[Any], numbering: Numbering
    ) -> Message[Any] | None:
        if self._step.late == "drop" or await self._waiting.knows(known_as, message):
            return None
        if self._step.late == "refuse":
            hint = "give a longer gap, or say late='pass' or late='drop'"
            raise LateMessage(f"{self._step.name}: number {number} is late, next is {numbering.next}", hint=hint)
        return await self._proceed(message)

    def _press(self) -> None:
        """No place is left: unless a message can go on and make room, the oldest gap is given up."""
        dues = {key: line.numbering.due(self._step.gap) for key, line in self._lines.items()}
        _, key = min(((due, key) for key, due in dues.items() if due is not None), default=(None, None))
        if key is not None:
            self._lines[key].numbering.give_up()
            self._look(key, self._lines[key])

    def _look(self, key: str, line: _Line) -> None:
        """Set the timer of a sequence to its next turn."""
        due = line.numbering.due(self._step.gap)
        if due is not None and not line.busy:
            self._waiting.alarms.set(key, due)

    async def _ring(self, key: str) -> None:
        await self._workers.add(key)

    async def _go_on(self, key: str) -> None:
        """Let a sequence have one turn; then it stands in line again, behind the others."""
        line = self._lines.get(key)
        if line is None or line.busy or self._waiting.ended:
            return
        turn = line.numbering.turn(self._runtime.now() + _MOMENT, self._step.gap)
        if turn is not None:
            line.busy = True
            await self._release(key, turn)
            line.busy = False
        self._look(key, line)
        self._forget(key, line)

    def _forget(self, key: str, line: _Line) -> None:
        """Not to know all the sequences that there ever were."""
        if line.idle and len(self._lines) > _IDLE:
            del self._lines[key]

    async def _release(self, key: str, turn: Turn) -> None:
        if turn.missing is not None:
            self._runtime.emit(GapSkipped(self._runtime.route, self._step.name, key, turn.missing, turn.number - 1))
        *twins, last = turn.messages
        for twin in twins:
            await self._waiting.release(twin)
        await self._waiting.release(last, partial(self._marks.put, key, str(turn.number + 1)))

    def _line(self, key: str) -> _Line:
        return self._lines.setdefault(key, _Line(Numbering(self._step.start)))

    async def _know(self, key: str, line: _Line) -> None:
        """Read the number that is next, of a sequence that was not at work since the start."""
        if not line.known:
            text = await self._marks.get(key)
            if text is not None and not line.known:
                line.numbering.next = int(text)
            line.known = True

    async def _inherit(self, groups: Sequence[Group]) -> None:
        """What a process that has died was keeping; it may have gone on further than is known here.

        What is late by now, and nobody had begun to release, stays for the next start.
        """
        for group in groups:
            key, number, _ = from_json(group.key)
            line = self._line(key)
            line.known = line.known and (line.busy or line.numbering.waiting > 0)
            await self._know(key, line)
            if not line.numbering.late(number):
                line.numbering.add(number, group.number, group.first)
            elif group.closed:
                await self._waiting.drop(group.number, known=True)
            self._look(key, line)

    async def _load(self, groups: Sequence[Group]) -> None:
        for group in groups:
            key, number, _ = from_json(group.key)
            line = self._line(key)
            await self._know(key, line)
            if not line.numbering.late(number):
                line.numbering.add(number, group.number, group.first)
            else:
                await self._waiting.drop(group.number, known=group.closed)
        for key, line in self._lines.items():
            self._look(key, line)
