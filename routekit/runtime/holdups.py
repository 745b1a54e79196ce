"""Holdups: why a route that is up takes no messages: by order, by the clock, by a circuit, or as another one leads."""

from collections.abc import Callable

import anyio

from ..events import CircuitChanged
from ..route import Runs
from ..tasks import together
from ..window import next_change, open_now
from .leading import Leading

_LOOK = 60.0
"""Seconds after which the clock is looked at again: it may have been set."""

_HAIR = 0.001
"""Seconds by which a sleep may be too short."""


class Holdups:
    """What holds up one route; `changed` is called whenever that changes."""

    def __init__(
        self, runs: Runs, now: Callable[[], float], changed: Callable[[], None], leading: Leading | None = None
    ) -> None:
        self.asked = False
        self._leading = leading
        self._windows = runs.windows
        self._breaker = runs.pause_when_open
        self._now = now
        self._changed = changed
        self._outside = not open_now(self._windows, now())
        self._circuit: CircuitChanged | None = None
        self._heard = anyio.Event()

    def follow(self, before: "Holdups") -> None:
        """Begin with what was asked of the version before, and with what it had heard of the same breaker."""
        self.asked = before.asked
        self._circuit = before._circuit if before._breaker == self._breaker else None

    @property
    def why(self) -> str:
        """All reasons in a line; empty if nothing holds it up."""
        waits = "" if self._leading is None else self._leading.why
        return ", ".join(
            reason
            for reason, holds in (
                ("asked for", self.asked),
                (f"outside {' and '.join(map(str, self._windows))}", self._outside),
                (f"circuit breaker '{self._breaker}' is open", self._circuit is not None),
                (waits, waits != ""),
            )
            if holds
        )

    @property
    def passing(self) -> bool:
        """Whether only a circuit breaker that will let a probe through holds it up, as a source that is away would.

        Or an election of which nothing is known yet.
        """
        if self._leading is not None and self._leading.passing:
            return not (self.asked or self._outside)
        return self._circuit is not None and self._circuit.wait is not None and not (self.asked or self._outside)

    def hear(self, event: CircuitChanged) -> None:
        """Take note of a circuit breaker, if it is that of this route."""
        if event.name == self._breaker:
            self._circuit = event if event.state == "open" else None
            self._heard.set()
            self._changed()

    async def run(self) -> None:
        """Keep the hours and wait out the breaker, until cancelled; returns at once if there is neither."""
        if self._leading is None and not self._windows and not self._breaker:
            return
        async with together() as tasks:
            if self._leading is not None:
                tasks.start_soon(self._leading.run)
            if self._windows:
                tasks.start_soon(self._keep_hours)
            if self._breaker:
                tasks.start_soon(self._wait_out)

    async def _keep_hours(self) -> None:
        due: float | None = self._now()
        last = self._now()
        while due is not None:
            moment = self._now()
            if moment < last:  # the clock was set back
                due = moment
            if moment >= due - _HAIR:
                due = max(due, moment)
                self._judge(due)
                due = next_change(self._windows, due)
            last = moment
            await anyio.sleep(_LOOK if due is None else min(max(0.0, due - moment), _LOOK))

    def _judge(self, when: float) -> None:
        outside = not open_now(self._windows, when)
        if outside is not self._outside:
            self._outside = outside
            self._changed()

    async def _wait_out(self) -> None:
        """Let the route go on when its breaker lets a probe through, which nobody else would make."""
        while True:
            self._heard = anyio.Event()
            with anyio.move_on_after(self._circuit.wait if self._circuit is not None else None) as patience:
                await self._heard.wait()
            if patience.cancelled_caught:
                self._circuit = None
                self._changed()
