"""The circuit breaker as a machine of three states; it knows no messages and no event loop, and is told the time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias

from .demands import amount, errors, whole
from .discretion import told
from .errors import CircuitOpen, DefinitionError, Rejected

State: TypeAlias = Literal["closed", "open", "half-open"]

Tell: TypeAlias = Callable[[State, str, float | None], None]
"""Hears of a new state, why it is so, and in how many seconds an open breaker lets calls through again, if it does."""


@dataclass(frozen=True)
class Rules:
    """When a circuit breaker opens and closes, as the options of `circuit_breaker` say."""

    window: int = 100
    seconds: float | None = None
    minimum: int = 10
    failures: float = 0.5
    slow: float | None = None
    slow_share: float = 1.0
    open_for: float = 60.0
    probes: int = 10
    on: type[Exception] | tuple[type[Exception], ...] = Exception
    never: type[Exception] | tuple[type[Exception], ...] = Rejected

    def __post_init__(self) -> None:
        whole("window", self.window)
        whole("minimum", self.minimum)
        if self.minimum > self.window:
            hint = "the minimum is 1 or more, and no more than the window holds"
            raise DefinitionError(f"the window is {self.window} calls and the minimum {self.minimum}", hint=hint)
        for name in ("failures", "slow_share"):
            amount(name, getattr(self, name))
            if getattr(self, name) > 1:
                hint = "a share is more than 0 and at most 1"
                raise DefinitionError(f"{name} is {getattr(self, name)}", hint=hint)
        amount("open_for", self.open_for)
        for name in ("seconds", "slow"):
            if getattr(self, name) is not None:
                amount(name, getattr(self, name))
        whole("probes", self.probes)
        errors("on", self.on)
        errors("never", self.never)

    def counts(self, error: Exception) -> bool:
        """Whether this error is a failure of what the breaker guards."""
        return isinstance(error, self.on) and not isinstance(error, self.never)


class _Call(NamedTuple):
    ended: float
    failed: bool
    slow: bool


class Breaker:
    """Counts outcomes, and lets calls through or not. All times are of one clock that never goes back.

    A call enters, then its outcome is recorded if it counts, then it leaves. Outcomes of calls that entered before the
    last change of state are not counted.
    """

    def __init__(self, name: str, rules: Rules) -> None:
        self.name = name
        self.state: State = "closed"
        self.refused = 0
        self._rules = rules
        self._turn = 0
        self._under_way = 0
        self._calls: deque[_Call] = deque()
        self._failed = 0
        self._slow = 0
        self._until = 0.0
        self._why = ""

    def enter(self, now: float, tell: Tell) -> int:
        """Let a call through; gives what `record` and `leave` are told. Raises CircuitOpen."""
        if self.state == "open":
            if now < self._until:
                self.refused += 1
                raise CircuitOpen(f"circuit breaker '{self.name}' is open: {self._why}", hint=self._again(now))
            self._become("half-open", f"it was open for {self._rules.open_for:g} s", tell)
        if self.state == "half-open" and self._under_way + len(self._calls) >= self._rules.probes:
            self.refused += 1
            hint = "their outcome decides whether it closes"
            raise CircuitOpen(f"circuit breaker '{self.name}' is half-open, with all its probes under way", hint=hint)
        self._under_way += 1
        return self._turn

    def record(self, turn: int, *, began: float, now: float, error: Exception | None, tell: Tell) -> None:
        """Count the outcome of a call: it failed with `error`, or succeeded."""
        if turn != self._turn:
            return
        rules = self._rules
        call = _Call(now, error is not None, rules.slow is not None and now - began >= rules.slow)
        self._calls.append(call)
        self._failed += call.failed
        self._slow += call.slow
        if self.state == "half-open":
            self._judge_probes(now, error, tell)
        else:
            self._forget(now)
            if len(self._calls) >= rules.minimum:
                self._judge(len(self._calls), now, error, tell)

    def leave(self, turn: int) -> None:
        """A call has ended, with or without an outcome that counts."""
        if turn == self._turn:
            self._under_way -= 1

    def open(self, tell: Tell) -> None:
        """Let no call through until `close`."""
        if self._until < inf or self.state != "open":
            self._until = inf
            self._become("open", "it was opened by hand", tell)

    def close(self, tell: Tell) -> None:
        """Let calls through, and count anew."""
        if self.state == "closed":
            self._begin_anew()
        else:
            self._become("closed", "it was closed by hand", tell)

    def stats(self, now: float) -> dict[str, Any]:
        """The state, why it is so, and what is in the window; `refused` counts from the start."""
        if self.state == "closed":
            self._forget(now)
        return {
            "state": self.state,
            "why": self._why,
            "calls": len(self._calls),
            "failed": self._failed,
            "slow": self._slow,
            "under_way": self._under_way,
            "refused": self.refused,
        }

    def _forget(self, now: float) -> None:
        """Drop the calls that the window no longer holds."""
        calls, rules = self._calls, self._rules
        while calls and (
            len(calls) > rules.window or (rules.seconds is not None and calls[0].ended + rules.seconds <= now)
        ):
            call = calls.popleft()
            self._failed -= call.failed
            self._slow -= call.slow

    def _judge(self, of: int, now: float, error: Exception | None, tell: Tell) -> bool:
        """Open if the failed or the slow are too great a share `of` the calls."""
        rules = self._rules
        if self._failed / of >= rules.failures:
            last = f", the last with {told(error)}" if error is not None else ""
            why = f"{self._failed} of {len(self._calls)} calls failed{last}"
        elif rules.slow is not None and self._slow / of >= rules.slow_share:
            why = f"{self._slow} of {len(self._calls)} calls took {rules.slow:g} s or more"
        else:
            return False
        self._until = now + rules.open_for
        self._become("open", why, tell, rules.open_for)
        return True

    def _judge_probes(self, now: float, error: Exception | None, tell: Tell) -> None:
        """Decide as soon as the probes that are missing cannot change it."""
        rules = self._rules
        if self._judge(rules.probes, now, error, tell):
            return
        missing = rules.probes - len(self._calls)
        too_slow = rules.slow is not None and (self._slow + missing) / rules.probes >= rules.slow_share
        if (self._failed + missing) / rules.probes < rules.failures and not too_slow:
            self._become("closed", "its probes succeeded", tell)

    def _become(self, state: State, why: str, tell: Tell, wait: float | None = None) -> None:
        self.state = state
        self._why = why
        self._begin_anew()
        tell(state, why, wait)

    def _begin_anew(self) -> None:
        self._turn += 1
        self._under_way = self._failed = self._slow = 0
        self._calls.clear()

    def _again(self, now: float) -> str:
        return f"it tries again in {self._until - now:.3g} s" if self._until < inf else "it is closed by hand"
