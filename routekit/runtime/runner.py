"""Runner: one route, run whenever it is wanted, and again with backoff when a source or sink of it is away.

Over 300 lines, since the states of a route are one machine.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import anyio

from ..endpoint import Deliver, Listener, Source, address_of
from ..errors import Unavailable
from ..events import (
    CircuitChanged,
    Counts,
    Flight,
    RouteDegraded,
    RoutePaused,
    RouteResumed,
    RouteStarted,
    RouteStopped,
)
from ..message import Message
from ..observed import RouteFigures
from ..options import masked
from ..route import ALWAYS, Retry, Route
from ..scopes import clauses_of, policy_of, scopes_of
from ..step import Chain, Command, Hold, Step
from ..tasks import either, together
from .assembly import Assembled, assembled
from .binding import RouteRuntime
from .holdups import Holdups
from .intake import Intake
from .leading import Leading, elected
from .observation import shared_states
from .reception import CALLS, Reception
from .services import Activity, Services

AGAIN = Retry(attempts=0, first=1.0, most=60.0)
"""How long a degraded route waits before it starts again."""


class Runner:
    """Runs a route whenever it is wanted, for as long as the service runs.

    `up` is set when it has started, `tried` already when it has failed to, or waits for other routes. `over` says that
    its source is exhausted, `left` what it was at when the service ended. Control never waits for messages: one of them
    may be the one that asks.
    """

    def __init__(self, route: Route, services: Services, activity: Activity) -> None:
        self.route = route
        self.counts = Counts()
        self.over = False
        self.up = anyio.Event()
        self.tried = anyio.Event()
        self.ended = anyio.Event()
        self._services = services
        self._activity = activity
        self.watch = None if services.observations is None else services.observations.of(route)
        scopes = scopes_of(route, services.policy)
        self._policy = policy_of(scopes)
        self._clauses = clauses_of(scopes)
        self._source = services.catalog.source(route.source)
        self._intake: Intake | None = None
        self._runtime: RouteRuntime | None = None
        self._runs = self._policy.runs or ALWAYS
        self._wanted = self._runs.start == "auto"
        self._phase = "starting" if self._wanted else "stopped"
        self._ending = False
        self._news = anyio.Event()
        electing = elected(services.store) if self._source.alone() else None
        self._leading = None if electing is None else Leading(route.name, electing, self._changed)
        self._holdups = Holdups(self._runs, services.now, self._changed, self._leading)
        self._paused = False
        self._before: Sequence[Runner] = ()
        self._called: Sequence[Runner] = ()
        self._olds: Sequence[Runner] = ()
        self._heir: Runner | None = None
        self._gone = False
        self._failures = 0
        self._slots: int | None = None
        self._made: Assembled | None = None
        self._since = 0.0
        self._error: Exception | None = None
        self.left: tuple[Flight, ...] = ()
        self._first: Assembled | None = self._assembled()  # what cannot work is raised before any route starts
        bound = self._first.runtime
        self.feeds = bound.feeds
        services.controls.steps(route.name, bound.offers, up=False)
        services.controls.route(route.name, self._commands())

    @property
    def address(self) -> str:
        """What other routes send to, if this one is internal."""
        return address_of(self._source)

    @property
    def source(self) -> Source:
        """What it reads from."""
        return self._source

    @property
    def named(self) -> Sequence[str]:
        """The routes that must be up before this one starts."""
        return self._runs.others

    @property
    def others(self) -> "Sequence[Runner]":
        """All that this one starts after, so that it stops before them."""
        return (*self._before, *self._called)

    @property
    def journals(self) -> bool:
        """Whether its messages are kept in the store from their arrival."""
        return self._policy.durable == "store"

    @property
    def keeps(self) -> Sequence[str]:
        """The names of the state in which its steps keep messages."""
        return [state for step in _steps(self.route.chain) if step.keeps and (state := step.state())]

    @property
    def states(self) -> Collection[str]:
        """The names of all state of its steps."""
        return {state for step in _steps(self.route.chain) if (state := step.state())}

    @property
    def internal(self) -> bool:
        """Whether other routes feed this one, so that it stops after them."""
        return self._source.internal

    @property
    def state(self) -> str:
        """`starting`, `running`, `paused`, `stopping`, `degraded` or `stopped`."""
        if self._phase != "up":
            return self._phase
        if self._intake is None or self._intake.stopping:
            return "stopping"
        return "paused" if self._holdups.why else "running"

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and the source has nothing, as far as it can know."""
        if self.counts.in_flight or self._phase == "degraded":
            return False
        if self._phase == "starting":
            return not all(other.up.is_set() for other in self._before)  # they may never be started
        if self._intake is not None and self._intake.busy:
            return False
        if self._runtime is not None and (self._runtime.ringing or (self.counts.held and self._runtime.alarmed)):
            return False
        if self._phase == "stopped" or (self._intake is not None and self._intake.exhausted):
            return True
        if self._holdups.why:
            return not self._holdups.passing
        if self.internal and isinstance(self._source, Listener):
            return True
        return self._runtime is not None and self._runtime.idle

    def start(self) -> None:
        """Run, whatever it was told before: also again, after its source was exhausted."""
        self._wanted, self._holdups.asked = True, False
        if self._phase == "stopped":
            self._phase, self.over = "starting", False
        self._changed()

    def stop(self) -> None:
        """Take no more messages, and close when those in flight are done; `start` starts it again."""
        self._wanted, self._holdups.asked = False, False
        self._changed()

    def pause(self) -> None:
        """Take no more messages until `resume`; those in flight go on, and all stays open but the source."""
        self._holdups.asked = True
        self._changed()

    def resume(self) -> None:
        """Take messages again, as far as the route's own policy allows; the source is opened anew."""
        self._holdups.asked = False
        self._changed()

    @property
    def concurrency(self) -> int:
        """How many messages may be in flight at once; 0: as many as its callers bring."""
        listens = isinstance(self._source, Listener)
        own = (CALLS if self.journals else 0) if listens else 1
        return self._slots or self._policy.concurrency or own

    def admit(self, slots: int) -> None:
        """Have at most so many messages in flight from now on, until it stops: then its policy counts again.

        If there are more, none is taken until they are done.
        """
        self._slots = slots
        if self._intake is not None:
            self._intake.admit(slots)

    @property
    def takes_again(self) -> bool:
        """Whether dead letters can go through the route as it runs; those of a durable one go by themselves."""
        return self.state in ("running", "paused") and not self.journals

    async def again(self, message: Message[Any], entry: int, kind: Any) -> None:
        """Handle a dead letter once more, where it enters, as a `kind`; raises what failed, and writes no new letter.

        Raises Unavailable unless `takes_again`, and DefinitionError if nothing enters there any more.
        """
        if self._intake is None or self._made is None or not self.takes_again:
            raise Unavailable(f"route {self.route.name} is {self.state}", hint="the letter stays")
        await self._intake.again(message, self._made.again(entry, kind))

    def end(self) -> None:
        """Stop for good; `ended` is set when those in flight are done."""
        self._ending = True
        self._changed()

    def hear(self, event: CircuitChanged) -> None:
        """Take note of a circuit breaker that has changed."""
        self._holdups.hear(event)

    def comes_after(self, named: "Sequence[Runner]", called: "Sequence[Runner]") -> None:
        """Start when the `named` routes are up, and when those that it calls have at least tried to start."""
        self._before, self._called = named, called
        self._heard()

    def comes_instead_of(self, olds: "Sequence[Runner]", before: "Runner | None") -> None:
        """Start when the `olds` have ended; `before` was this route: go on with its figures and its orders."""
        self._olds = olds
        if before is None:
            return
        self.counts, self._first = before.counts, None
        self._holdups.follow(before._holdups)
        if self.watch is not None and before.watch is not None:
            self.watch.follow(before.watch)
        ordered = before._wanted is not (before._runs.start == "auto") and not before.over
        if ordered:
            self._wanted = before._wanted
            self._phase = "starting" if self._wanted else "stopped"

    def gives_way(self, heir: "Runner | None") -> None:
        """Say who takes the calls from inside that come while this one ends, and after; with nobody they fail."""
        self._heir, self._gone = heir, heir is None
        self._heard()

    def observed(self) -> RouteFigures:
        """What has been seen of the route."""
        name = self.route.name
        breakers, limits = shared_states(self._services.named.of(name))
        endpoints = self._services.figures.read(name)
        counts = {field: getattr(self.counts, field) for field in Counts.__slots__}
        figures = RouteFigures(name, self.state, **counts, breakers=breakers, limits=limits, endpoints=endpoints)
        return figures if self.watch is None else self.watch.read(figures)

    def stats(self) -> dict[str, Any]:
        """State and figures as plain data."""
        figures: dict[str, dict[str, float]] = {}
        for figure in self._services.figures.read(self.route.name):
            figures.setdefault(figure.endpoint, {})[figure.name] = figure.value
        stats = {"route": self.route.name, "state": self.state, "why": self.why, **asdict(self.counts)}
        return {**stats, "endpoints": figures} if figures else stats

    @property
    def why(self) -> str:
        """Why it takes no messages, if it is not what was asked for."""
        if self._phase == "degraded":
            return masked(str(self._error))
        if any(not old.ended.is_set() for old in self._olds):
            return "the version before is still at work"
        if self._phase == "starting":
            awaited = [other.route.name for other in self._before if not other.up.is_set()]
            return f"after {', '.join(awaited)}" if awaited else ""
        return self._holdups.why if self.state == "paused" else ""

    async def run(self) -> None:
        """Run whenever it is wanted, until `end`."""
        try:
            await self._in_succession()
            async with together() as tasks:
                tasks.start_soon(self._holdups.run)
                while not self._ending:
                    if self._wanted:
                        await self._run()
                    else:
                        self._phase = "stopped"
                        self.tried.set()
                        await self._news.wait()
                tasks.cancel_scope.cancel()
        finally:
            self.ended.set()
            self._activity.idle()

    async def _run(self) -> None:
        """From start to stop, or to the end of the source."""
        self._phase = "starting"
        try:
            await self._in_turn()
            while self._on:
                try:
                    self.over = await self._once()
                    self._wanted = self._wanted and not self.over
                    break
                except Exception as error:  # whatever a source or sink does must not end the other routes
                    await self._degrade(error)
        finally:
            self._phase, self._slots = "stopped", None
            self._step_down()
            unfinished = self.counts.in_flight + self.counts.held
            left = self.left if unfinished else ()
            self._services.tell(RouteStopped(self.route.name, self.counts, unfinished, left, self.journals))
            self._activity.idle()

    async def _in_succession(self) -> None:
        """Wait for the end of the versions before this one."""
        for old in self._olds:
            while not self._ending and not old.ended.is_set():
                await either(old.ended, self._news)

    async def _in_turn(self) -> None:
        """Wait for the routes that come before this one, which may be exchanged meanwhile."""
        if not all(other.up.is_set() for other in self._before):
            self.tried.set()
        while self._on and (event := self._awaited()) is not None:
            await either(event, self._news)

    def _awaited(self) -> anyio.Event | None:
        events = (*(other.up for other in self._before), *(other.tried for other in self._called))
        return next((event for event in events if not event.is_set()), None)

    @property
    def _on(self) -> bool:
        return self._wanted and not self._ending

    def _changed(self) -> None:
        """Bring the intake in line with what is wanted now, and tell."""
        if self._intake is not None:
            if not self._on:
                self._intake.stop()
            elif self._holdups.why:
                self._intake.pause()
            else:
                self._intake.resume()
        if self._phase == "up" and self._paused is not (self.state == "paused"):
            self._paused = not self._paused
            if self._paused:
                self._services.tell(RoutePaused(self.route.name, self._holdups.why))
            elif self.state == "running":
                self._services.tell(RouteResumed(self.route.name))
        self._heard()

    def _heard(self) -> None:
        """Let those who wait look again."""
        self._news.set()
        self._news = anyio.Event()
        self._activity.idle()

    def _commands(self) -> Mapping[str, Command]:
        """What the control bus may ask of the route; the answer is what it is then."""

        def command(change: Callable[[], None]) -> Command:
            async def changed() -> dict[str, Any]:
                change()
                return self.stats()

            return changed

        async def stats() -> dict[str, Any]:
            return self.stats()

        changes = (self.start, self.stop, self.pause, self.resume)
        return {"stats": stats, **{change.__name__: command(change) for change in changes}}

    def _assembled(self) -> Assembled:
        return assembled(
            self.route,
            self._source,
            self._policy,
            self._clauses,
            self._services,
            self._activity,
            self.counts,
            self.watch,
        )

    async def _once(self) -> bool:
        """From the opening of the sinks to their closing; whether it ended since the source is exhausted."""
        made, self._first = self._first or self._assembled(), None
        self._made = made
        runtime = made.runtime
        runtime.office = self._leading
        controls = self._services.controls
        async with AsyncExitStack() as stack:
            await runtime.open(stack)
            jobs = await stack.enter_async_context(together())
            intake = self._new_intake(made)
            runtime.releasing(partial(_release, intake, made), intake.changed, lambda: intake.stopping)
            runtime.start_jobs(jobs)
            controls.steps(self.route.name, runtime.offers, up=True)
            stack.callback(controls.steps, self.route.name, runtime.offers, up=False)
            over = await self._take(intake, runtime)
            jobs.cancel_scope.cancel()
        return over

    def _new_intake(self, made: Assembled) -> Intake:
        kind = Intake if made.journaling is None else partial(Reception, made.journaling)
        return kind(
            made.processing,
            self._policy if self._slots is None else replace(self._policy, concurrency=self._slots),
            made.runtime,
            self._activity,
            following=self._following,
            holds=self._services.holds,
        )

    async def _take(self, intake: Intake, runtime: RouteRuntime) -> bool:
        self._intake, self._runtime = intake, runtime
        if not self._on:
            return False
        if self._leading is not None:
            await self._leading.stand()
        self._phase, self._paused = "up", False
        self._since = anyio.current_time()
        self.counts.in_flight = self.counts.held = 0  # what an earlier start left unfinished is redelivered
        self._services.tell(RouteStarted(self.route.name))
        self.up.set()
        self.tried.set()
        self._changed()
        try:
            if isinstance(self._source, Listener):
                await intake.listen(self._source)
            else:
                await intake.pull(self._source)
            return not intake.stopping
        finally:
            intake.abandon()
            self._intake = None

    def _step_down(self) -> None:
        """Let another process run the source, as what was in flight here is done; one that is exhausted stays here."""
        if self._leading is not None and not self.over:
            self._leading.step_down()

    async def _following(self) -> Deliver:
        """The way in for calls, once there is one that is not closing; raises Unavailable if there will be none."""
        while self._intake is None or self._intake.stopping:
            if self._heir is not None:
                return await self._heir._following()
            if self._gone:
                raise Unavailable(f"route {self.route.name} is gone", hint="it was taken out while the service ran")
            await self._news.wait()
        return self._intake.delivering()

    async def _degrade(self, error: Exception) -> None:
        if self._phase == "up" and anyio.current_time() - self._since >= AGAIN.most:
            self._failures = 0  # it ran well for a while: a new failure, not the old one again
        self._failures += 1
        self._phase, self._error = "degraded", error
        self._step_down()
        wait = AGAIN.wait(self._failures, self._services.random)
        self._services.tell(RouteDegraded(self.route.name, error, wait))
        self.tried.set()
        with anyio.move_on_after(wait):
            while self._on:
                await self._news.wait()


def _steps(chain: Chain) -> Iterator[Step[Any, Any]]:
    for step in chain.steps:
        yield step
        for _, branch in step.branches():
            yield from _steps(branch)


async def _release(
    intake: Intake, made: Assembled, message: Message[Any], entry: int, held: Sequence[Hold]
) -> Message[Any] | None:
    """Run what the route itself brings."""
    run = partial(intake.release, message, made.brought[entry - 1], held)
    return await (run() if made.journaling is None else made.journaling.released(message, entry, run))
