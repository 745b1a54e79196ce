"""Tracer: traces the messages of the routes of one service, and writes what was recorded, beside the routes."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

import anyio
import anyio.lowlevel

from ..errors import StoreError
from ..message import Message, Trace
from ..observing import Observer, traces_of
from ..route import Policy, Route
from ..scopes import policy_of, scopes_of
from ..store import Store
from ..traced import CHANCES, Tracing, chance, tracing_of
from .looking import Look
from .recording import Recording
from .rows import NEWEST, TRACES, key_of, newest_key, row_of, texts_of

MOST: Final = 10_000
"""Traces that the store keeps; the oldest are forgotten."""

KEEP: Final = 86_400.0
"""Seconds for which traces are kept, unless something else is said."""

WAITING: Final = 1_000
"""Traces that may wait to be written; what comes then is not traced, and counted."""

RATE: Final = 20.0
"""Sampled messages that are followed in a second, in the long run: more would cost, and nobody would read them."""

BURST: Final = 5.0
"""Sampled messages that may come at once."""

AT_WORK: Final = 1_000
"""Messages that are followed at once."""

PAUSE: Final = 1.0
"""Seconds between two groups that are written."""

CLOSING: Final = 5.0
"""Seconds for which the last ones are written when the service stops."""

SWEEP: Final = 60.0
"""Seconds between two looks whether there are too many."""

_log = logging.getLogger("routekit.tracing")


class Tracer:
    """Made once for each service; `run` has to run for as long as the routes do."""

    def __init__(
        self, store: Store, now: Callable[[], float], *, policy: Policy | None = None, keys: Sequence[str] = (),
        worker: str = "",
        keep: float = KEEP,
        most: int = MOST,
    ) -> None:  # fmt: skip
        self.store = store
        self.now = now
        self.keys = tuple(keys)
        self.worker = worker
        self.keep = keep
        self.at_work = 0
        self.dropped: Counter[str] = Counter()
        """Messages of each route that should have been traced, and were not, since too many waited."""
        self.passed: Counter[str] = Counter()
        """About how many sampled messages of each route came faster than they are followed."""
        self.waiting: deque[tuple[Recording, float]] = deque()
        self._policy = policy or Policy()
        self._most = most
        self._news = anyio.Event()
        self._swept = -inf
        self._told: Counter[str] = Counter()
        self._spoke = -inf
        self._turns, self._at = BURST, now()
        self._admitted: dict[str, None] = {}

    def observe(self, route: Route) -> Observer | None:
        """Who traces the messages of a route, if its policy wants it."""
        policy = policy_of(scopes_of(route, self._policy))
        tracing = tracing_of(policy.trace)
        return None if tracing is None else _Recorder(self, route.name, tracing)

    def put(self, recording: Recording, until: float) -> None:
        """Have a trace written that has ended."""
        self.waiting.append((recording, until))
        self._news.set()

    @property
    def full(self) -> bool:
        """Whether no other message can be traced now."""
        return len(self.waiting) + self.at_work >= AT_WORK or len(self.waiting) >= WAITING

    def admits(self, id: str) -> bool:
        """Whether a sampled message is followed; one that one route follows is followed by all that sample it."""
        if id in self._admitted:
            return True
        now = self.now()
        self._turns = min(BURST, self._turns + max(0.0, now - self._at) * RATE)
        self._at = now
        if self._turns < 1.0:
            return False
        self._turns -= 1.0
        self._admitted[id] = None
        if len(self._admitted) > AT_WORK:
            del self._admitted[next(iter(self._admitted))]
        return True

    async def run(self) -> None:
        """Write traces in groups, until cancelled; what waits then is written by `flush`."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            await self.flush()
            self._tell_of_dropped()
            await anyio.sleep(PAUSE)

    async def close(self) -> None:
        """Write what still waits, for some seconds at most."""
        with anyio.move_on_after(CLOSING):
            await self.flush()

    async def flush(self) -> None:
        """Write what waits. A store that cannot take it loses it: a trace must not hold up anything.

        Who is cancelled in it leaves what is not written to the next one.
        """
        if not self.waiting:  # a route that traces nothing asks nothing of the store
            return
        group, self.waiting = self.waiting, deque()
        left = {id(recording): (recording, until) for recording, until in group}
        try:
            async with anyio.create_task_group() as tasks:
                for recording, until in group:
                    tasks.start_soon(self._write, recording, until, left)
                    await anyio.lowlevel.checkpoint()  # between two messages of the routes at most one is told
            await self._sweep()
        except* StoreError as errors:
            for recording, _ in left.values():
                self.dropped[recording.route] += 1
            _log.warning("%d traces could not be written: %s", len(left), errors.exceptions[0])
            left.clear()
        finally:
            self.waiting.extendleft(reversed(left.values()))

    async def _write(self, recording: Recording, until: float, left: dict[int, tuple[Recording, float]]) -> None:
        row, text, listed = texts_of(recording, self.worker)
        await self.store.values(TRACES).put(key_of(row), text, until=until)
        await self.store.values(NEWEST).put(newest_key(row), listed, until=until)
        del left[id(recording)]

    async def _sweep(self) -> None:
        """Forget the oldest, if there are too many; looks once in a while."""
        now = anyio.current_time()
        if now - self._swept < SWEEP:
            return
        self._swept = now
        newest, traces = self.store.values(NEWEST), self.store.values(TRACES)
        after, count = "", 0
        while page := await newest.items(after=after):
            after = page[-1][0]
            for key, value in page:
                count += 1
                if count > self._most:
                    row = row_of(value.text)
                    if row is not None:
                        await traces.delete(key_of(row))
                    await newest.delete(key)

    def _tell_of_dropped(self) -> None:
        """Say what was left out, at most once in a while."""
        news, now = self.dropped - self._told, self.now()
        if not news or now - self._spoke < SWEEP:
            return
        self._spoke, self._told = now, Counter(self.dropped)
        for route, count in news.items():
            _log.warning("%d messages of route %s were not traced: more came than can be written", count, route)


class _Recorder:
    """Observes one route."""

    def __init__(self, tracer: Tracer, route: str, tracing: Tracing) -> None:
        self._tracer = tracer
        self._route = route
        self._keep = tracer.keep if tracing.seconds is None else tracing.seconds
        self._failed = tracing.failed
        self._bound = tracing.bound
        self._all = tracing.bound >= CHANCES
        self._look = Look(tracing.bodies, tracer.keys)
        self._share = tracing.share
        self._last = tracer.now()
        self._seen = 0
        self.skips = 0
        """Messages that need not be asked about: while more come than are followed."""

    def begin(self, message: Message[Any]) -> Trace | None:
        """Follow the message if its id says so, or if the route that sent it here follows it."""
        self._seen += 1 + self.skips
        self.skips = 0
        parent = "" if message.meta.trace is None else _parent(message)
        if not (self._all or parent or chance(message.id) < self._bound):
            return None
        tracer = self._tracer
        if tracer.full:
            tracer.dropped[self._route] += 1
            return None
        if not (self._all or parent or tracer.admits(message.id)):
            self._skip()
            return None
        tracer.at_work += 1
        return Recording(self._route, message, parent, self._look, tracer.now, self._finished)

    def _skip(self) -> None:
        """Look away until another one may be followed, if messages come as fast as they did."""
        now = self._tracer.now()
        speed = self._seen / max(now - self._last, 1e-6)
        self._last, self._seen = now, 0
        self.skips = int(min(speed / RATE, 50.0 / self._share))
        self._tracer.passed[self._route] += 1 + int(self.skips * self._share)

    def _finished(self, recording: Recording) -> None:
        tracer = self._tracer
        tracer.at_work -= 1
        if not self._failed or recording.failed:
            tracer.put(recording, recording.at + self._keep)


def _parent(message: Message[Any]) -> str:
    return next((trace.link for trace in traces_of(message) if isinstance(trace, Recording)), "")
