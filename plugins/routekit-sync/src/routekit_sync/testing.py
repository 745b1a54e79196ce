"""For tests of pairs: two systems in memory, in virtual time, and an engine that can be killed at any step.

    world = World([unit], a=Knobs(lag=2.0), b=Knobs(granularity=1.0))
    id = world.a.user_create({"name": "Ada"})
    world.quiet()
    assert [each.fields["name"] for each in world.b.records.values()] == ["Ada"]

A step is a call to a remote or to the store. A killed engine does nothing any more, not even what it would do on its
way out; what it had done stays done, and the next cycle is by a new engine over the same store and the same remotes.

In one file although it is a little long: half of it passes calls on, and is only the world's.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, TypeVar

import anyio

from routekit import Store, Value, ValueChange, Values
from routekit.remotes import Fields, Page, Record, Session
from routekit.testing import Catalog, virtual
from routekit.testing.remote import FakeRemote, FakeSystem, Knobs

from .engine import Engine, Hint
from .kept import Conflict, Quarantined
from .ledger import Ledger
from .pair import Retrying, SyncPair
from .plans import LinkPlan
from .state import Link
from .summary import Progress, Summary
from .units import Unit

T = TypeVar("T")

START = 1_800_000_000.0
"""When a world begins, in seconds since 1970."""

REST = 400.0
"""Seconds between two cycles of a world that comes to rest: more than a lease lasts, or a failed link waits."""


def renamed(a: str, b: str, **options: Any) -> Unit:
    """A unit of one field, called `a` on side a and `b` on side b, with options of `Unit`."""

    def to_b(fields: Fields) -> Fields:
        return {b: fields[a]} if a in fields else {}

    def to_a(fields: Fields) -> Fields:
        return {a: fields[b]} if b in fields else {}

    both: dict[str, Any] = {"to_b": to_b, "to_a": to_a}
    return Unit(a, [a], [b], **(both | options))


@cache
def _catalog() -> Catalog:
    """What is installed: looked up once, as worlds are many."""
    return Catalog()


class Killed(BaseException):
    """The process is gone: nobody catches this."""


class Life:
    """Of one engine: it ends before or after its step number `until`, or never."""

    def __init__(self, until: int | None = None) -> None:
        self.steps = 0
        """Each call counts twice: before it is made, and when it is done."""
        self._until = until
        self._over = False

    async def step(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, unless life ends before; and go on, unless it ends then."""
        self._pass()
        answer = await call()
        self._pass()
        return answer

    def _pass(self) -> None:
        self.steps += 1
        if self._over or self.steps == self._until:
            self._over = True
            raise Killed


class MortalValues:
    """The values of a store, as an engine sees them that may be killed."""

    def __init__(self, values: Values, life: Life) -> None:
        self._values = values
        self._life = life

    async def get(self, key: str) -> Value | None:
        return await self._life.step(lambda: self._values.get(key))

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        return await self._life.step(lambda: self._values.put(key, text, version=version, until=until))

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        return await self._life.step(lambda: self._values.delete(key, version=version))

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        return await self._life.step(lambda: self._values.items(after=after, limit=limit))

    async def many(self, keys: Sequence[str]) -> Mapping[str, Value]:
        return await self._life.step(lambda: self._values.many(keys))

    async def write(self, changes: Sequence[ValueChange], *, given: Mapping[str, int] | None = None) -> bool:
        return await self._life.step(lambda: self._values.write(changes, given=given or {}))


class MortalSession:
    """A session of a remote, as an engine sees it that may be killed."""

    def __init__(self, session: Session, life: Life) -> None:
        self._session = session
        self._life = life

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        return await self._life.step(lambda: self._session.changes(since, page))

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        return await self._life.step(lambda: self._session.scan(page, fields=fields))

    async def get(self, id: str) -> Record | None:
        return await self._life.step(lambda: self._session.get(id))

    async def many(self, ids: Sequence[str]) -> Sequence[Record]:
        return await self._life.step(lambda: self._session.many(ids))

    async def find(self, name: str, value: Any) -> Sequence[Record]:
        return await self._life.step(lambda: self._session.find(name, value))

    async def create(self, fields: Fields, *, key: str) -> Record:
        return await self._life.step(lambda: self._session.create(fields, key=key))

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        return await self._life.step(lambda: self._session.update(id, fields, version=version, key=key))

    async def delete(self, id: str, *, version: str | None = None) -> None:
        await self._life.step(lambda: self._session.delete(id, version=version))


@dataclass(eq=False)
class Clock:
    """The time of some worlds, and the store in memory that they share."""

    time: float = START
    began: float | None = None
    """What the loop's clock said when it began, while one runs."""
    store: Store | None = None

    def now(self) -> float:
        """The time: while a loop runs, it goes on with the loop's."""
        return self.time if self.began is None else self.time + anyio.current_time() - self.began


class World:
    """Two systems, a pair between them, what it remembers, and the time; each cycle is by an engine of its own.

    `store` is the URI of the store. `options` are those of the pair. A world `beside` another one has the same time
    and the same store, and with `hub` also the same system as side a.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        *,
        a: Knobs | None = None,
        b: Knobs | None = None,
        store: str = "memory:",
        seed: int = 0,
        beside: "World | None" = None,
        hub: bool = False,
        **options: Any,
    ) -> None:
        self.clock = beside.clock if beside is not None else Clock()
        system = beside.a if beside is not None and hub else None
        self.remote_a = FakeRemote("a", a or Knobs(prefix="a"), now=self.now, random=Random(seed), system=system)
        self.remote_b = FakeRemote("b", b or Knobs(prefix="b"), now=self.now, random=Random(seed + 1))
        options = {"name": "people", "retry": Retrying(first=5.0, longest=60.0), **options}
        self.pair = SyncPair(a=self.remote_a, b=self.remote_b, units=units, **options)
        self.steps = 0
        """How many steps the last engine has made."""
        self.alerts: list[str] = []
        self.summaries: list[Summary] = []
        self._store = store
        self._seed = seed
        self._engines = 0

    @property
    def a(self) -> FakeSystem:
        """The system of side a."""
        return self.remote_a.system

    @property
    def b(self) -> FakeSystem:
        """The system of side b."""
        return self.remote_b.system

    @property
    def writes(self) -> int:
        """How many writes came through the API of either system and were carried out."""
        return len(self.a.writes) + len(self.b.writes)

    def now(self) -> float:
        """The time."""
        return self.clock.now()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.time += seconds

    def run(self, act: Callable[[Store], Awaitable[T]]) -> T:
        """Do something with the store, in a loop of its own in virtual time."""
        clock = self.clock

        async def running() -> T:
            clock.began = anyio.current_time()
            try:
                return await self._with_store(act)
            finally:
                clock.time, clock.began = clock.now(), None

        backend, options = virtual()
        return anyio.run(running, backend=backend, backend_options=options)

    async def _with_store(self, act: Callable[[Store], Awaitable[T]]) -> T:
        if self.clock.store is not None:
            return await act(self.clock.store)
        async with _catalog().open_store(self._store, self.now) as store:
            if self._store == "memory:":
                self.clock.store = store  # it is this object, also for the next loop
            return await act(store)

    def cycle(self, *, full: bool = False, hints: Sequence[Hint] = (), kill_at: int | None = None) -> Summary | None:
        """One cycle by a new engine; None if it was killed on the way."""
        life = Life(kill_at)

        async def cycling(store: Store) -> Summary:
            engine = self.engine(store, life)
            summary = await engine.cycle(full=full, hints=hints)
            await engine.ledger.release()
            return summary

        try:
            summary = self.run(cycling)
        except Killed:
            return None
        except BaseExceptionGroup as group:
            if group.split(Killed)[1] is not None:
                raise
            return None
        finally:
            self.steps = life.steps
        self.summaries.append(summary)
        return summary

    def engine(self, store: Store, life: Life | None = None) -> Engine:
        """A new engine over what there is."""
        self._engines += 1
        life = life or Life()

        def kin(name: str) -> Ledger:
            return Ledger(MortalValues(store.values(f"sync:{name}"), life), self.now, owner=f"engine {self._engines}")

        return Engine(
            self.pair,
            kin(self.pair.name),
            MortalSession(self.remote_a.session(), life),
            MortalSession(self.remote_b.session(), life),
            now=self.now,
            random=Random(self._seed),
            report=self._heard,
            kin=kin,
        )

    def _heard(self, progress: Progress) -> None:
        if progress.alert:
            self.alerts.append(progress.alert)

    def plan(self, *, full: bool = False) -> list[LinkPlan]:
        """What the next cycle would do."""

        async def planning(store: Store) -> list[LinkPlan]:
            return [each async for each in self.engine(store).plan(full=full)]

        return self.run(planning)

    def quiet(self, *, most: int = 12, rest: float = REST) -> int:
        """Cycles until two in a row, which got to their end, write nothing; gives the number of writes.

        Raises AssertionError if they go on.
        """
        before, idle = self.writes, 0
        for _ in range(most):
            self.wait(rest)
            count = self.writes
            summary = self.cycle()
            idle = idle + 1 if summary is not None and summary.complete and self.writes == count else 0
            if idle == 2:
                return self.writes - before
        raise AssertionError(f"after {most} cycles there are writes still: {self.a.writes[-3:]} {self.b.writes[-3:]}")

    def links(self) -> list[Link]:
        """All links, dead ones too."""

        async def read(ledger: Ledger) -> list[Link]:
            return [known.link async for known in ledger.links()]

        return self._read(read)

    def conflicts(self) -> list[Conflict]:
        """All conflicts."""

        async def read(ledger: Ledger) -> list[Conflict]:
            return [each async for each in ledger.conflicts()]

        return self._read(read)

    def quarantine(self) -> list[Quarantined]:
        """All links that were given up."""

        async def read(ledger: Ledger) -> list[Quarantined]:
            return [each async for each in ledger.quarantine()]

        return self._read(read)

    def _read(self, read: Callable[[Ledger], Awaitable[T]]) -> T:
        return self.run(lambda store: read(Ledger(store.values(f"sync:{self.pair.name}"), self.now)))
