"""Replay of many letters: in their order, at a rate, and so that it can be killed at any moment and begun again.

A letter is removed once its route has done all that it caused, within the acknowledgement. So a process that dies in
between leaves at most one letter that is done and still there: the one it was at.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

import anyio
from pydantic import BaseModel, Field

from ..discretion import said
from ..errors import DefinitionError, Unavailable
from ..letter import Letter
from ..options import masked
from ..replay import Confirm, Way, again
from ..retrying import attempts_of
from ..route import Route
from ..runtime.failure import failure_of
from ..runtime.service import Setup
from ..store import Store
from .beside import beside
from .recording import owned, written
from .selecting import Selection, chosen

Result: TypeAlias = Literal["done", "failed", "skipped"]
"""`done` and removed, `failed` again and kept, or `skipped`: another process is at it, or has done it."""

TRIED = 99
"""Replays that a letter remembers beside the last one."""

KEPT = 1000
"""Failures that a report names."""


class Outcome(BaseModel):
    """What became of one letter."""

    letter: str
    message_id: str
    route: str
    result: Result
    error: str = Field(default="", description="the class of the error")
    reason: str = Field(default="", description="its text")
    step: str = Field(default="", description="the step that failed")


class Replayed(BaseModel):
    """What became of all."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    stopped: str = Field(default="", description="why it ended before all were tried")
    outcomes: list[Outcome] = Field(
        default_factory=list[Outcome], description=f"those that are not done, the first {KEPT}"
    )


def _quiet(outcome: Outcome) -> None:
    pass


class Taking(Protocol):
    """A way of letters through their route."""

    async def take(self, letter: Letter, confirm: Confirm) -> Exception | None:
        """Run the route on a letter; None once it is done and `confirm` has returned, else what failed."""
        ...


def nobody(letter: Letter) -> Taking | None:
    """For letters beside no running route."""
    return None


@dataclass
class Replay:
    """How letters are replayed, and who wants it: `rate` is letters a second, `failures` after how many it stops."""

    store: Store
    routes: Sequence[Route]
    setup: Setup
    who: str
    rate: float | None = None
    failures: int | None = None
    tell: Callable[[Outcome], None] = _quiet
    """Called with what became of each letter, as soon as that is known."""
    live: "Callable[[Letter], Taking | None]" = nobody
    """The way through the letter's route as it runs here, if it does; else it is started for the letters."""
    _next: float = field(default=0.0, init=False)

    async def run(self, selection: Selection) -> Replayed:
        """Replay the letters that are meant: route after route, of each the oldest first.

        Raises DefinitionError for a route that cannot work, such as one that must not run beside the daemon.
        """
        report = Replayed()
        kinds = await self._kinds(selection)
        what = selection.words
        await written(self.store, self.setup, self.who, "replay", what, f"begun: {sum(kinds.values())} letters")
        for like in kinds:
            await self._those(like, selection, report)
            if report.stopped:
                break
        ended = report.stopped or "ended"
        text = f"{ended}: {report.done} done, {report.failed} failed again, {report.skipped} skipped"
        await written(self.store, self.setup, self.who, "replay", what, text)
        return report

    async def _kinds(self, selection: Selection) -> "dict[_Kind, int]":
        """The ways by which the letters go in, each with how many go there; in the order of the oldest of each."""
        kinds: dict[_Kind, int] = {}
        async for letter in chosen(self.store, selection, oldest=True):
            kind = _Kind.of(letter)
            kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    async def _those(self, kind: "_Kind", selection: Selection, report: Replayed) -> None:
        async with _Ways(self).open() as ways, aclosing(chosen(self.store, selection, oldest=True)) as letters:
            async for letter in letters:
                if _Kind.of(letter) != kind:
                    continue
                await self._paced()
                outcome = await self._one(letter, ways)
                self._note(outcome, report)
                if self.failures is not None and report.failed >= self.failures:
                    report.stopped = f"stopped after {report.failed} failures"
                    return

    async def _one(self, letter: Letter, ways: "_Ways") -> Outcome:
        outcome = Outcome(letter=letter.id, message_id=letter.message_id, route=letter.route, result="skipped")
        try:
            async with owned(self.store, letter.id) as now:
                if now is None:
                    return outcome.model_copy(update={"reason": "it is gone: replayed or discarded meanwhile"})
                return await self._tried(now, ways, outcome)
        except Unavailable as held:
            return outcome.model_copy(update={"reason": str(held)})

    async def _tried(self, letter: Letter, ways: "_Ways", outcome: Outcome) -> Outcome:
        async def confirm() -> None:
            await self.store.letters.remove(letter.id)

        try:
            way = await ways.of(letter)
            error = await way.take(letter, confirm)
        except DefinitionError as wrong:  # of this route: the others may still be as they were
            error = wrong
        if error is None:
            await written(self.store, self.setup, self.who, "replay", letter.id, f"done: {_named(letter)}")
            return outcome.model_copy(update={"result": "done"})
        return await self._failed(letter, error, outcome)

    async def _failed(self, letter: Letter, error: Exception, outcome: Outcome) -> Outcome:
        """Keep the letter, with what happened now."""
        failure = failure_of(error)
        known: dict[str, Any] = {
            "error": type(error).__name__,
            "reason": said(error),
            "step": failure.step if failure else "source",
        }
        tried = {"who": self.who, "when": self.setup.now(), "attempts": attempts_of(error), **known}
        if await self.store.letters.get(letter.id) is not None:
            await self.store.letters.add(replace(letter, replays=[*letter.replays[-TRIED:], tried]))
        text = f"failed again: {_named(letter)}: {known['error']}: {known['reason']}"
        await written(self.store, self.setup, self.who, "replay", letter.id, text)
        shown = {name: masked(value) for name, value in known.items()}
        return outcome.model_copy(update={"result": "failed", **shown})

    def _note(self, outcome: Outcome, report: Replayed) -> None:
        report.done += outcome.result == "done"
        report.failed += outcome.result == "failed"
        report.skipped += outcome.result == "skipped"
        if outcome.result != "done" and len(report.outcomes) < KEPT:
            report.outcomes.append(outcome)
        self.tell(outcome)

    async def _paced(self) -> None:
        """Wait until the next letter may go."""
        if self.rate is None:
            return
        now = anyio.current_time()
        await anyio.sleep(max(0.0, self._next - now))
        self._next = max(self._next, now) + 1 / self.rate


@dataclass(frozen=True)
class _Kind:
    """Where letters go in."""

    route: str
    entry: int
    body: str

    @classmethod
    def of(cls, letter: Letter) -> "_Kind":
        return cls(letter.route, letter.entry, letter.kind)


class _Ways:
    """The route of the letters at hand: started for the first, and again for the next if it was away."""

    def __init__(self, replay: Replay) -> None:
        self._setup = replay.setup
        self._store = replay.store
        self._routes = replay.routes
        self._live = replay.live
        self._way: Way | None = None
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["_Ways"]:
        """Stop the route, orderly, when the block is left."""
        with beside(self._store) as store:
            self._setup = replace(self._setup, store=store)
            try:
                yield self
            finally:
                await self._stack.aclose()

    async def of(self, letter: Letter) -> Taking:
        """The way of a letter; raises DefinitionError if its route cannot run."""
        live = self._live(letter)
        if live is not None:
            return live
        if self._way is not None and self._way.away is not None:
            await self._stack.aclose()
            self._way = None
        if self._way is None:
            self._way = await self._stack.enter_async_context(again(letter, self._routes, self._setup))
        return self._way


def _named(letter: Letter) -> str:
    return f"message {letter.message_id} of {letter.route}"
