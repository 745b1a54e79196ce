"""A remote in memory while it is open: each call is counted, may go wrong, and does what the knobs say."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from time import time
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from ...remotes import Abilities, Busy, Fields, Forbidden, Page, Record, Refused
from ...step import Runtime
from . import lists, writing
from .faults import AFTERWARDS, Call, FaultKind, failing
from .knobs import Ghost, Hidden, Knobs
from .rows import Row
from .system import FakeSystem

T = TypeVar("T")


class FakeSession:
    """Answers from a system in memory."""

    def __init__(self, system: FakeSystem) -> None:
        self._system = system
        self._closed = False

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        return await self._call("changes", lambda: lists.changes(self._system, since, page))

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        return await self._call("scan", lambda: lists.scan(self._system, page, fields))

    async def get(self, id: str) -> Record | None:
        return await self._call("get", lambda: read(self._system, id), id)

    async def many(self, ids: Sequence[str]) -> Sequence[Record]:
        return await self._call("many", lambda: _several(self._system, ids))

    async def find(self, name: str, value: Any) -> Sequence[Record]:
        return await self._call("find", lambda: _found(self._system, name, value))

    async def create(self, fields: Fields, *, key: str) -> Record:
        return await self._call("create", lambda: writing.create(self._system, fields, key), fields=fields, key=key)

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        return await self._call("update", lambda: writing.update(self._system, id, fields, version), id, fields)

    async def delete(self, id: str, *, version: str | None = None) -> None:
        return await self._call("delete", lambda: writing.delete(self._system, id, version), id)

    def close(self) -> None:
        """Let no call through any more."""
        self._closed = True

    async def _call(
        self, op: str, act: Callable[[], T], id: str = "", fields: Mapping[str, Any] | None = None, key: str = ""
    ) -> T:
        system = self._system
        if self._closed:
            raise RuntimeError(f"{op} was asked of a session that is closed")
        system.calls[op] += 1
        call = Call(system.calls.total(), op, id, fields or {}, system.now(), key)
        system.under_way += 1
        try:
            await _travel(system)
            return _answered(system, call, act)
        finally:
            system.under_way -= 1


async def _travel(system: FakeSystem) -> None:
    if system.knobs.latency:
        await anyio.sleep(system.knobs.latency)
    else:
        await anyio.lowlevel.checkpoint()


def _answered(system: FakeSystem, call: Call, act: Callable[[], T]) -> T:
    """Do what was asked, unless something is against it."""
    if system.before is not None:
        system.before(call)
    _limit(system)
    fault = system.faults.strike(call)
    if fault is not None and fault.kind not in AFTERWARDS:
        if fault.kind is FaultKind.BEFORE:
            writing.failed(system, call)
        raise failing(fault, call)
    answer = act()
    if system.after is not None:
        system.after(call)
    if fault is not None:
        if fault.kind is FaultKind.AFTER:
            writing.failed(system, call)
        raise failing(fault, call)
    return answer


def _limit(system: FakeSystem) -> None:
    """Refuse what is too much: a call counts in the window that it came in, also if it is refused."""
    knobs = system.knobs
    if knobs.concurrent is not None and system.under_way > knobs.concurrent:
        raise Busy(f"{system.under_way} calls at once, and {knobs.concurrent} are allowed", after=1.0)
    if knobs.budget is None:
        return
    now, recent = system.now(), system.recent
    while recent and recent[0] <= now - knobs.budget.seconds:
        recent.popleft()
    if len(recent) >= knobs.budget.calls:
        system.over_budget += 1
        after = recent[0] + knobs.budget.seconds - now
        raise Busy(f"more than {knobs.budget.calls} calls in {knobs.budget.seconds:g} s", after=after)
    recent.append(now)


def read(system: FakeSystem, id: str) -> Record | None:
    """A record as `get` answers it."""
    row = system.rows.get(system.aliases.get(id, id))
    if row is None:
        return None
    if row.hidden:
        if system.knobs.hidden is Hidden.MISSING:
            return None
        raise Forbidden(f"record '{id}' may not be seen by this user")
    if not row.current.deleted:
        return system.record(row)
    return _ghost(system, row)


def _ghost(system: FakeSystem, row: Row) -> Record | None:
    if row.current.merged_into is not None or system.knobs.ghost is Ghost.TOLD:
        return system.record(row)
    return system.shade(row) if system.knobs.ghost is Ghost.SILENT else None


def _several(system: FakeSystem, ids: Sequence[str]) -> Sequence[Record]:
    if len(ids) > system.knobs.batch:
        raise Refused(f"{len(ids)} ids were asked for at once, and {system.knobs.batch} are allowed")
    rows = [system.rows[own] for own in ids if own in system.rows]
    return [system.record(row) for row in rows if not row.hidden and not row.current.deleted]


def _found(system: FakeSystem, name: str, value: Any) -> Sequence[Record]:
    if name not in (*system.knobs.findable, system.knobs.external_key):
        raise Refused(f"records cannot be found by '{name}'")
    index = "find" in system.knobs.lagging
    rows = [system.rows[own] for own in system.having(name, value)]
    shown = [(row, system.listed(row, index=index)) for row in rows]
    return [system.record(row, state) for row, state in shown if state is not None and system.has(state, name, value)]


class FakeRemote:
    """One kind of object of a system in memory: a value, to be put into a pair.

    `now` is our clock in seconds since 1970, `random` draws what is left to chance. `system` is what it stands for:
    one of its own, unless several remotes share one, as if different users looked at it.
    """

    def __init__(
        self,
        name: str,
        knobs: Knobs | None = None,
        *,
        now: Callable[[], float] = time,
        random: Random | None = None,
        system: FakeSystem | None = None,
    ) -> None:
        self.name = name
        self.system = system or FakeSystem(knobs, now=now, random=random)

    def __repr__(self) -> str:
        return f"FakeRemote({self.name!r})"

    @property
    def abilities(self) -> Abilities:
        """What the system says of itself."""
        return self.system.knobs.abilities

    def __str__(self) -> str:
        return self.name

    def session(self) -> FakeSession:
        """A session that stays open, for tests that have no runtime."""
        return FakeSession(self.system)

    @asynccontextmanager
    async def open(self, runtime: Runtime | None = None) -> AsyncGenerator[FakeSession]:
        session = self.session()
        try:
            yield session
        finally:
            session.close()
