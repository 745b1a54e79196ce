"""`sync:` as a source: the cycles of a pair, in the rhythm that it says, and what a person should hear of."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import anyio
from pydantic import BeforeValidator, Field, InstanceOf, model_validator

from routekit import About, Capabilities, Consumer, Delivery, Endpoint, Logged, Message, Runtime, Seconds, Unavailable

from .engine import Engine, Hint
from .figures import MEANINGS, Counted
from .lines import line_of
from .naming import pair_of
from .noticing import Hints, Room, hints_of, room_of
from .pair import SyncPair
from .parts import added, opened_parts
from .summary import Summary
from .telling import Trouble, Troubles

ThePair = Annotated[InstanceOf[SyncPair], BeforeValidator(pair_of)]
"""A pair, or where it is: `module:variable`."""


_BUSY = 5.0
"""Seconds until it is looked again whether somebody else is done with the pair."""


class SyncSource(Consumer):
    """Keeps a pair in step: one cycle after the other, each as one message once it is done.

    A cycle looks at what the feeds of both sides report, at hints, at what is due again, and writes what the rules of
    the pair say. What it has done is kept before the message comes: nothing is done again because the message failed.
    With a store that several processes share one of them runs the cycles; a second lease in the store makes sure that
    a command of an operator and a route do not run the same pair at the same time. A side that is away degrades the
    route, and the next cycle goes on where this one stopped.
    """

    scheme = "sync"
    singleton: ClassVar[bool] = True
    capabilities = Capabilities(ordered=True)
    about: ClassVar[About] = About(
        headers={
            "sync.pair": "the name of the pair",
            "sync.kind": "`cycle`, or what the trouble is: `conflict`, `quarantine`, `held`, `parked`",
        },
        raises={Unavailable: "a side is away or has asked to wait, or another process works at the pair"},
        figures=MEANINGS,
        example="""
            from pathlib import Path

            from routekit import from_
            from routekit_sync import FolderRemote, SyncPair, SyncSink, SyncSource, Unit

            name = Unit("name", ["name"], ["title"], lambda a: {"title": a["name"]}, lambda b: {"name": b["title"]})
            people = SyncPair("people", FolderRemote("crm", Path("crm")), FolderRemote("erp", Path("erp")), [name])

            kept = from_(SyncSource(pair=people, every=30.0)).log("{body.pair}: {body.writes} writes")
            told = from_("direct:changed", dict).to(SyncSink(pair=people, side="a"), id=lambda event: event["id"])
        """,
    )
    pair: ThePair = Field(description="the pair: `module:variable`, or as a typed endpoint the pair itself")
    every: Seconds | None = Field(default=None, gt=0, description="seconds between two cycles, else as the pair says")
    sweep: Seconds | None = Field(
        default=None, gt=0, description="seconds between two full comparisons, else as the pair says"
    )
    gives: Literal["cycles", "troubles", "both"] = Field(
        default="cycles",
        description="`cycles`: a Summary for each cycle; `troubles`: a Trouble for each conflict that waits for a "
        "person, each record in quarantine, held deletions and parked links, once; or `both`",
    )
    quiet: bool = Field(
        default=False, description="no message for a cycle in which nothing was written and nothing failed"
    )

    part: int | None = Field(
        default=None,
        ge=0,
        description="the part that is run here, from 0, of a pair with `partitions`: each is a route of its own, which "
        "another process may run; unset: all, one after the other",
    )

    def clashes(self, other: Endpoint) -> str | None:
        """Two sources of one pair: the second would only wait for the first."""
        if not isinstance(other, SyncSource) or other.pair.name != self.pair.name:
            return None
        apart = self.part is not None and other.part is not None and self.part != other.part
        return None if apart else f"both run the pair '{self.pair.name}'"

    @model_validator(mode="after")
    def _has_that_part(self) -> "SyncSource":
        if self.part is not None and self.part >= max(1, self.pair.partitions):
            raise ValueError(f"the pair '{self.pair.name}' has {self.pair.partitions} parts, numbered from 0")
        return self

    async def probe(self, runtime: Runtime) -> str:
        """Read one page of ids of each side."""
        found: list[str] = []
        for remote in (self.pair.a, self.pair.b):
            async with remote.open(runtime) as session:
                page = await session.scan(fields=False)
                more = "" if page.next is None else " and more"
                found.append(f"{remote.name}: {len(page.records)} records{more}")
        return ", ".join(found)

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        room, hints = await room_of(self.pair.name, runtime), hints_of(self.pair, runtime)
        pair = self.pair if self.sweep is None else replace(self.pair, sweep=self.sweep)
        async with opened_parts(pair, runtime, only=self.part) as engines:
            troubles = Troubles(pair, [engine.ledger for engine in engines], runtime)
            counted = Counted(troubles, lambda: min(engine.left() for engine in engines), runtime.now)
            with runtime.metered(self, counted.readers()):
                while True:
                    summary = await self._cycles(engines, room, hints)
                    if summary is None:
                        await runtime.rest(min(_BUSY, self._every))
                        continue
                    counted.add(summary)
                    new = await troubles.new(summary)
                    self._log(summary, troubles, runtime)
                    for delivery in self._told(summary, new, troubles, runtime):
                        yield delivery
                    if not summary.complete and not summary.wait:
                        raise Unavailable(f"{pair.name}: {summary.note or 'the cycle did not come to its end'}")
                    await self._rest(room, summary, runtime)

    async def _cycles(self, engines: Sequence[Engine], room: Room, hints: Hints) -> Summary | None:
        """One cycle of each part; None if an operator's command, or another process, works at one of them now."""
        done: list[Summary] = []
        async with room.lock:
            room.hush()
            for engine in engines:
                summary = await self._cycle(engine, hints)
                if summary is None:
                    break
                done.append(summary)
        return added(done) if done else None

    async def _cycle(self, engine: Engine, hints: Hints) -> Summary | None:
        part = engine.ledger.partition
        if not await engine.ledger.acquire(part):
            return None
        try:
            noted = await hints.all(part)
            summary = await engine.cycle(hints=[Hint(one.side, one.id) for one in noted])
            if summary.complete:
                await hints.done(noted, part)
        finally:
            with anyio.CancelScope(shield=True):
                await engine.ledger.release()
        return summary

    @property
    def _every(self) -> float:
        return self.pair.every if self.every is None else self.every

    def _told(
        self, summary: Summary, new: Sequence[Trouble], troubles: Troubles, runtime: Runtime
    ) -> Iterator[Delivery[Any]]:
        if self.gives != "troubles" and not (self.quiet and _uneventful(summary)):
            yield Delivery(self._message(summary, "cycle", f"{runtime.now():.3f}"), _nothing, _nothing)
        for trouble in new if self.gives != "cycles" else ():
            message = self._message(trouble, trouble.kind, f"{trouble.kind}-{trouble.id}")
            yield Delivery(message, partial(troubles.told, trouble), _nothing)

    def _message(self, body: Summary | Trouble, kind: str, id: str) -> Message[Any]:
        return Message(body, {"sync.pair": self.pair.name, "sync.kind": kind}, f"{self.pair.name}-{id}")

    def _log(self, summary: Summary, troubles: Troubles, runtime: Runtime) -> None:
        """One line for each cycle; one in which nothing happened is for who debugs."""
        level = "warning" if summary.alerts or not summary.complete else "debug" if _uneventful(summary) else "info"
        codes = troubles.codes if summary.quarantined else ()
        runtime.emit(Logged(runtime.route, level, line_of(summary, codes)))
        for alert in summary.alerts:
            runtime.emit(Logged(runtime.route, "warning", f"{self.pair.name}: {alert}"))

    async def _rest(self, room: Room, summary: Summary, runtime: Runtime) -> None:
        """Until the next cycle is due, or somebody rings."""
        if summary.wait:
            await runtime.rest(max(self._every, summary.wait))
            return
        with runtime.resting(), anyio.move_on_after(self._every):
            await room.bell.wait()


def _uneventful(summary: Summary) -> bool:
    """Whether there was nothing to do, and nothing went wrong."""
    troubled = summary.failed or summary.quarantined or summary.conflicts or summary.blocked or summary.problems
    return summary.complete and not (summary.writes or summary.linked or troubled or summary.alerts)


async def _nothing(_: object) -> None:
    """What a cycle did is done, whatever becomes of its message; a trouble that was not told comes again."""
