"""Runner: one route from start to stop, started again with backoff when a source or sink of it is away."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from ..endpoint import Listener
from ..errors import DefinitionError
from ..events import Counts, RouteDegraded, RouteStarted, RouteStopped
from ..fitting import fitting
from ..message import Message
from ..route import Policy, Retry, Route
from ..step import Handler, Hold, finish
from ..tasks import together
from .binding import RouteRuntime
from .giving_up import giving_up, takes_back
from .intake import Intake
from .processing import Processing
from .services import Activity, Services

AGAIN = Retry(attempts=0, first=1.0, most=60.0)
"""How long a degraded route waits before it starts again."""


class Runner:
    """Runs a route. `state` is `starting`, `running`, `degraded` or `stopped`."""

    def __init__(self, route: Route, services: Services, activity: Activity) -> None:
        self.route = route
        self.counts = Counts()
        self.state = "starting"
        self.ended = anyio.Event()
        self._services = services
        self._activity = activity
        self._policy = merged(route.policy, services.policy)
        self._source = services.catalog.source(route.source)
        self._intake: Intake | None = None
        self._runtime: RouteRuntime | None = None
        self._stopping = anyio.Event()
        self._failures = 0
        self._since = 0.0
        self._brought: list[Processing] = []
        self._bound()  # a definition that cannot work is raised before any route starts

    @property
    def internal(self) -> bool:
        """Whether other routes feed this one, so that it stops after them."""
        return self._source.internal

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and the source has nothing, as far as it can know."""
        if self.counts.in_flight or self.state in ("starting", "degraded"):
            return False
        if self._runtime is not None and (self._runtime.ringing or (self.counts.held and self._runtime.alarmed)):
            return False
        if self._intake is not None and self._intake.exhausted:
            return True
        if self.state == "stopped" or (self.internal and isinstance(self._source, Listener)):
            return True
        return self._runtime is not None and self._runtime.idle

    def stop(self) -> None:
        """Take no more messages; `ended` is set when those in flight are done."""
        self._stopping.set()
        if self._intake is not None:
            self._intake.stop()

    async def run(self) -> None:
        """Run until the source is exhausted or `stop` is called."""
        try:
            while not self._stopping.is_set():
                try:
                    await self._once()
                    break
                except Exception as error:  # whatever a source or sink does must not end the other routes
                    await self._degrade(error)
        finally:
            self.state = "stopped"
            self.ended.set()
            self._services.tell(RouteStopped(self.route.name, self.counts, self.counts.in_flight + self.counts.held))
            self._activity.idle()

    def _bound(self) -> tuple[Processing, RouteRuntime]:
        runtime = RouteRuntime(self.route, self._services, self._activity)
        handler = self._entered(runtime, runtime.bind(self.route.chain, finish))
        give_up = giving_up(self.route, self._policy, runtime, self.counts)
        runtime.giving_up(give_up)
        codec = None if self.route.codec is None else runtime.codec(self.route.codec)
        fit = None if self.route.body is None and codec is None else fitting(self.route.body or object, codec)
        refuses = takes_back(self._policy, self._source)
        processing = Processing(
            self.route, self._policy, fit, handler, None if refuses else give_up, runtime, self.counts
        )
        inner = replace(self.route, body=None)
        kept = None if refuses and not runtime.store.durable else give_up  # a source that was told takes nothing back
        self._brought = [
            Processing(inner, self._policy, None, enter, kept, runtime, self.counts, number)
            for number, enter in enumerate(runtime.entries, 1)
        ]
        return processing, runtime

    async def _release(
        self, intake: Intake, message: Message[Any], entry: int, held: Sequence[Hold]
    ) -> Message[Any] | None:
        """Run what the route itself brings."""
        return await intake.release(message, self._brought[entry - 1], held)

    def _entered(self, runtime: RouteRuntime, start: Handler[Any]) -> Handler[Any]:
        """Where the route's messages enter it."""
        entry = self.route.entry
        if entry > len(runtime.entries):
            found = f"route '{self.route.name}' has {len(runtime.entries)} places where parts enter, asked for {entry}"
            raise DefinitionError(found, hint="the route has changed since the letter was written")
        return runtime.entries[entry - 1] if entry else start

    async def _once(self) -> None:
        processing, runtime = self._bound()
        async with AsyncExitStack() as stack:
            await runtime.open(stack)
            jobs = await stack.enter_async_context(together())
            intake = Intake(processing, self._policy, runtime, self._activity, holds=self._services.holds)
            runtime.releasing(partial(self._release, intake), intake.changed)
            runtime.start_jobs(jobs)
            await self._take(intake, runtime)
            jobs.cancel_scope.cancel()

    async def _take(self, intake: Intake, runtime: RouteRuntime) -> None:
        self._intake, self._runtime = intake, runtime
        if self._stopping.is_set():
            return
        self.state = "running"
        self._since = anyio.current_time()
        self.counts.in_flight = self.counts.held = 0  # what an earlier start left unfinished is redelivered
        self._services.tell(RouteStarted(self.route.name))
        try:
            if isinstance(self._source, Listener):
                await intake.listen(self._source)
            else:
                await intake.pull(self._source)
        finally:
            self._intake = None

    async def _degrade(self, error: Exception) -> None:
        if self.state == "running" and anyio.current_time() - self._since >= AGAIN.most:
            self._failures = 0  # it ran well for a while: a new failure, not the old one again
        self._failures += 1
        self.state = "degraded"
        wait = AGAIN.wait(self._failures, self._services.random)
        self._services.tell(RouteDegraded(self.route.name, error, wait))
        with anyio.move_on_after(wait):
            await self._stopping.wait()


def merged(policy: Policy | None, default: Policy) -> Policy:
    """The route's policy, with the settings' defaults where it says nothing."""
    if policy is None:
        return default
    return Policy(
        concurrency=policy.concurrency if policy.concurrency is not None else default.concurrency,
        order_by=policy.order_by,
        retry=policy.retry or default.retry,
        dead_letter=policy.dead_letter if policy.dead_letter is not None else default.dead_letter,
        deadline=policy.deadline if policy.deadline is not None else default.deadline,
    )
