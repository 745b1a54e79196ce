"""What outlives a simulated process: wall time, its store, its sources with what was not told, its sinks' effects.

Every operation by which a process touches any of it goes through `Life.operation`: only there something can go wrong,
and only there anything changes.

Over 300 lines, since what is outside and the one way to it are one thing: whoever changes one has to read the other.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import anyio

from ..endpoint import Source
from ..errors import Unavailable
from ..events import DeadLettered, Event, GapSkipped, RouteDegraded
from ..letter import packed
from ..message import NO_HEADERS, Message
from .lineage import Lineage
from .loop import SimLoop
from .schedule import FAILURES, Fates, Fault, Kind

R = TypeVar("R")

START = 1_767_225_600.0
"""Wall time when a simulation begins: 2026-01-01, midnight in UTC."""

State: TypeAlias = Literal["waiting", "taken", "done", "back", "gone"]
"""Of one copy of a message: `waiting` at its source, `taken` and not told of, `done` when acknowledged, given `back`
for good, or `gone` with the process, from a source that cannot bring it again."""

Again: TypeAlias = Literal["never", "same id", "other id"]
"""How a source brings what was not acknowledged: not at all, as it was, or, as callers do, in a call of its own."""

_TRIES = 4
"""How often a source brings a message that is refused."""

_PAUSE = 5.0
"""Seconds before it does."""

DYING: Collection[Kind] = ("dies before", "dies after", "stops")
"""What may happen at any operation."""

QUIET = "quiet"
"""The operation of waiting: all tasks do."""


class Death(BaseException):
    """Ends what goes on in a process that is dead."""


@dataclass(eq=False)
class Arrival:
    """A message that comes from outside, and what was seen of it."""

    id: str
    source: str
    route: str
    message: Message[Any]
    due: float
    again: Again = "same id"
    """How it comes again if it is not acknowledged."""
    copies: "list[Copy]" = field(default_factory=list["Copy"])
    turn: int = 0
    """The how manyth of all it was when it was first taken, from 1."""
    accepted: bool = False
    """Whether a copy of it was acknowledged."""
    troubled: bool = False
    """Whether an operation of it was made to fail."""
    slowed: bool = False
    """Whether one was made to take long."""


@dataclass(eq=False)
class Copy:
    """One delivery of a message that its source has to make."""

    arrival: Arrival
    id: str
    due: float
    state: State = "waiting"
    refusals: int = 0
    session: object = None

    @property
    def over(self) -> bool:
        """Whether its source has nothing to do with it any more."""
        return self.state not in ("waiting", "taken")


class Reader(Protocol):
    """A source that routes may feed."""

    @property
    def endpoint(self) -> Source: ...

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> str:
        """The address that it reads from."""
        ...

    @property
    def again(self) -> Again:
        """How it brings a message again."""
        ...


@dataclass(frozen=True, slots=True)
class Effect:
    """One message that a sink has got."""

    route: str
    sink: str
    id: str
    body: str
    life: int
    at: float


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the story of a run; `messages` are those that it is about."""

    at: float
    life: int
    text: str
    messages: frozenset[str] = frozenset()


class Outside:
    """The world around the processes of one run."""

    def __init__(self, fates: Fates) -> None:
        self.fates = fates
        self.jumped = 0.0
        self.lineage = Lineage()
        self.arrivals: dict[str, Arrival] = {}
        self.effects: list[Effect] = []
        self.lasting: set[tuple[str, str, str]] = set()
        """Sink, id and body of what idempotent sinks have."""
        self.dead: set[str] = set()
        """The ids of messages about which there is a letter."""
        self.given_up: set[str] = set()
        """The ids of messages of which the service says that they became dead letters."""
        self.held: Counter[str] = Counter()
        """How often the store holds a message, by its id."""
        self.story: list[Happening] = []
        self.struck: list[Fault] = []
        self.degraded: dict[str, Exception] = {}
        self.gaps = 0
        self.operations = 0
        self.life = 0
        self.flight: Counter[str] = Counter()
        """The most messages of each source that were taken and not told of at one time."""
        self.watch: Callable[[Arrival, str], None] = lambda arrival, why: None
        """Called when a message is acknowledged, or the store forgets it."""
        self.late: list[Arrival] = []
        """What has come late, as a schedule wanted."""
        self.books: dict[str, Any] = {}
        """What places of transactions keep, by their names."""
        self.readers: list[Reader] = []
        """The sources that routes may feed."""
        self.expected = 0
        """How many messages of its clocks a run waits for."""
        self._nth: Counter[str] = Counter()
        self._away: dict[str, float] = {}
        self._turns = 0
        self._loop: SimLoop | None = None
        self._news: list[anyio.Event] = []

    def now(self) -> float:
        """Wall time."""
        return START + self.time + self.jumped

    @property
    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._loop.time() if self._loop is not None else 0.0

    @property
    def begun(self) -> int:
        """How many messages have come so far."""
        return len(self.arrivals)

    def ticks(self, source: str) -> int:
        """How many messages a source has brought."""
        return sum(arrival.source == source for arrival in self.arrivals.values())

    def come(self, arrival: Arrival) -> None:
        """A message begins to wait at its source, or comes once more if it has come before."""
        known = self.arrivals.setdefault(arrival.id, arrival)
        self.lineage.arrivals.add(arrival.id)
        known.copies.append(Copy(known, known.id, arrival.due))
        self.changed()

    def once_more(self, arrival: Arrival, due: float) -> None:
        """A source brings a message again."""
        known = arrival.id if arrival.again == "same id" else f"{arrival.id}~{len(arrival.copies) + 1}"
        self.lineage.alias(known, arrival.id)
        arrival.copies.append(Copy(arrival, known, due))
        self.changed()

    def taken(self, copy: Copy, session: object) -> None:
        """A process has a message now."""
        copy.state, copy.session = "taken", session
        if not copy.arrival.turn:
            self._turns += 1
            copy.arrival.turn = self._turns
        source = copy.arrival.source
        here = sum(
            one.state == "taken" for each in self.arrivals.values() if each.source == source for one in each.copies
        )
        self.flight[source] = max(self.flight[source], here)

    def replied(self, copy: Copy, reply: Message[Any] | None) -> None:
        """A caller has got its answer."""
        body = "" if reply is None else text_of(reply.body)
        name = caller_of(copy.arrival.source)
        self.done(Effect(copy.arrival.route, name, copy.id, body, self.life, self.time), idempotent=True)

    def acknowledged(self, copy: Copy) -> None:
        """The source was told that a message is done."""
        copy.state = "done"
        copy.arrival.accepted = True
        self.watch(copy.arrival, "acknowledged")

    def refused(self, copy: Copy, *, keeps: bool) -> None:
        """The source was told that a message is refused; with `keeps` it puts it aside, else it tries again."""
        copy.refusals += 1
        if keeps or copy.arrival.again == "never" or copy.refusals >= _TRIES:
            copy.state = "back"
        elif copy.arrival.again == "same id":
            copy.state, copy.due = "waiting", self.time + _PAUSE
        else:
            copy.state = "gone"
            self.once_more(copy.arrival, self.time + _PAUSE)
            copy.arrival.copies[-1].refusals = copy.refusals
        self.changed()

    def done(self, effect: Effect, *, idempotent: bool) -> None:
        """A sink has got a message."""
        key = (effect.sink, effect.id, effect.body)
        if idempotent and key in self.lasting:
            return
        self.lasting.add(key)
        self.effects.append(effect)

    def hold(self, id: str) -> None:
        """The store has a message now."""
        self.held[id] += 1

    def drop(self, id: str) -> None:
        """The store has it no more."""
        self.held[id] -= 1
        if self.held[id] <= 0:
            del self.held[id]
        for arrival in self.of(id):
            self.watch(arrival, "forgotten by the store")

    def of(self, id: str) -> list[Arrival]:
        """The messages from outside that are in a message of that id."""
        return [self.arrivals[root] for root in sorted(self.lineage.roots(id))]

    def holds(self, arrival: Arrival) -> bool:
        """Whether the store has the message, a part of it, or a group with it."""
        return any(arrival.id in self.lineage.roots(one) for one in self.held)

    def is_dead(self, arrival: Arrival) -> bool:
        """Whether there is a letter about the message, a part of it, or a group with it."""
        return any(arrival.id in self.lineage.roots(one) for one in self.dead)

    def hear(self, event: Event) -> None:
        """What the service tells."""
        if isinstance(event, DeadLettered):
            self.given_up.add(event.message_id)
            self.tell(f"{event.message_id} becomes a dead letter: {event.error}", event.message_id)
        elif isinstance(event, GapSkipped):
            self.gaps += 1
        elif isinstance(event, RouteDegraded):
            self.degraded[event.route] = event.error
            self.tell(f"{event.route} is degraded: {event.error}")

    def tell(self, text: str, id: str = "") -> None:
        """Add a line to the story."""
        self.story.append(Happening(self.time, self.life, text, self.lineage.roots(id) if id else frozenset()))

    def fate(self, at: str, may: Collection[Kind]) -> Fault | None:
        """What goes wrong at an operation that happens now."""
        self.operations += 1
        self._nth[at] += 1
        fault = self.fates.fate(at, self._nth[at], may)
        if fault is not None:
            self.struck.append(fault)
        return fault

    def away(self, address: str) -> bool:
        """Whether the other side of an address is away now."""
        return self._away.get(address, -1.0) > self.time

    def leave(self, address: str, seconds: float) -> None:
        """Let the other side be away for some seconds."""
        self._away[address] = self.time + seconds

    @property
    def settled(self) -> bool:
        """Whether every message was told of, and the store waits for nothing."""
        return not self.held and all(copy.over for each in self.arrivals.values() for copy in each.copies)

    def died(self) -> None:
        """The process is dead: what it had not told of waits again, or is gone."""
        for arrival in self.arrivals.values():
            for copy in [copy for copy in arrival.copies if copy.state == "taken"]:
                if arrival.again == "same id":
                    copy.state, copy.due = "waiting", min(copy.due, self.time)
                else:
                    copy.state = "gone"
                    if arrival.again == "other id":
                        self.once_more(arrival, self.time + _PAUSE)

    async def change(self, seconds: float | None) -> None:
        """Wait until a source has something new, or for some seconds."""
        news = anyio.Event()
        self._news.append(news)
        try:
            with anyio.move_on_after(seconds):
                await news.wait()
        finally:
            self._news.remove(news)

    def changed(self) -> None:
        """Wake who waits for news."""
        for news in self._news:
            news.set()

    def reborn(self, loop: SimLoop) -> "Life":
        """A new process, which runs in that loop."""
        self._news.clear()
        self._loop = loop
        self.life += 1
        return Life(self, loop)


class Life:
    """One process from its start to its death; what it does to the outside has an effect only until then."""

    def __init__(self, outside: Outside, loop: SimLoop) -> None:
        self.outside = outside
        self.loop = loop
        self.dead = False
        self.stopped = False
        """Whether it was told to stop."""
        self.stop: Callable[[], None] = lambda: None

    def now(self) -> float:
        """Wall time."""
        return self.outside.now()

    async def operation(
        self,
        at: str,
        act: Callable[[], Awaitable[R] | R],
        *,
        may: Collection[Kind] = DYING,
        of: str = "",
        address: str = "",
    ) -> R:
        """Do it, unless something goes wrong first or then; others get their turn before and afterwards.

        `of` is the id of the message that it is about, `address` the other side that may be away. Raises Unavailable if
        that cannot be reached.
        """
        await _turn()
        outside = self._alive()
        fault = outside.fate(at, may)
        if fault is not None:
            outside.tell(_told(fault), of)
            await self._before(fault, at, of, address)
        if address and outside.away(address):
            self._trouble(of)
            raise Unavailable(f"{address} is away")
        result: Any = act()
        result = await result if isawaitable(result) else result
        if fault is not None:
            await self._after(fault, at, of)
        await _turn()
        self._alive()
        return result

    async def _before(self, fault: Fault, at: str, of: str, address: str) -> None:
        outside = self.outside
        if fault.kind in FAILURES:
            self._trouble(of)
        if fault.kind == "dies before":
            await self.die()
        elif fault.kind == "cut before":
            raise Unavailable(f"the connection was lost at: {at}")
        elif fault.kind == "away":
            outside.leave(address, fault.amount)
        elif fault.kind == "slow":
            for arrival in outside.of(of):
                arrival.slowed = True
            await anyio.sleep(fault.amount)
            self._alive()
        elif fault.kind == "stops":
            self.stopped = True
            self.stop()
        elif fault.kind == "again":
            for arrival in outside.of(of):
                outside.once_more(arrival, outside.time + fault.amount)

    async def _after(self, fault: Fault, at: str, of: str) -> None:
        if fault.kind == "dies after":
            await self.die()
        elif fault.kind == "cut after":
            raise Unavailable(f"the connection was lost after: {at}")

    async def die(self) -> None:
        """The process ends here: nothing of it runs on."""
        self.dead = True
        self.loop.halt()
        await _turn()
        raise Death

    def _alive(self) -> Outside:
        if self.dead:
            raise Death
        return self.outside

    def _trouble(self, of: str) -> None:
        for arrival in self.outside.of(of) if of else ():
            arrival.troubled = True


async def _turn() -> None:
    """Let others run."""
    await anyio.lowlevel.checkpoint()


def _told(fault: Fault) -> str:
    seconds = f" {fault.amount:g} s" if fault.amount else ""
    what: Mapping[Kind, str] = {
        "dies before": "the process dies before:",
        "dies after": "the process dies after:",
        "stops": "the process is told to stop, and starts again, at:",
        "cut before": "the connection is lost before:",
        "cut after": "the connection is lost after:",
        "away": f"the other side is away for{seconds} at:",
        "slow": f"it takes{seconds}:",
        "again": "the source brings it once more after:",
        "late": f"it comes{seconds} late:",
        "clock": f"wall time jumps by{seconds} while:",
    }
    return f"{what[fault.kind]} {fault.at}"


def caller_of(source: str) -> str:
    """Who gets the replies of a source."""
    return f"the caller of {source}"


def text_of(body: object) -> str:
    """A body as text that is equal for equal bodies."""
    try:
        return json.dumps(packed(body), sort_keys=True, default=repr, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):  # what no JSON can hold is known by its class
        return type(body).__name__


def made(body: Any, id: str, headers: Mapping[str, Any] = NO_HEADERS) -> Message[Any]:
    """A message as its source would bring it."""
    return Message(body, headers, id)
