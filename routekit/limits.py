"""Gates: how many messages may pass, in a while and at once; what `throttle` and `bulkhead` have in common."""

from collections import deque
from collections.abc import Hashable

import anyio

from .errors import Expired


class Gate:
    """Lets messages pass in the order of their coming, at most `concurrent` at once.

    With a rate, no `per` seconds hold more passes than it says: a message passes when the one that is `rate` places
    before it did so `per` seconds ago. Only the first in line waits for that, by one sleep.
    """

    __slots__ = ("_freed", "_line", "_passed", "concurrent", "inside", "per")

    def __init__(self, concurrent: int | None, per: float = 0.0) -> None:
        self.inside = 0
        self.concurrent = concurrent
        self.per = per
        self._passed: deque[float] = deque()  # when the messages of the last `per` seconds passed
        self._line: deque[anyio.Event] = deque()
        self._freed: anyio.Event | None = None

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._line)

    @property
    def full(self) -> bool:
        """Whether as many are inside as may be."""
        return self.concurrent is not None and self.inside >= self.concurrent

    def idle(self, now: float) -> bool:
        """Whether a new gate would be no different."""
        return not (self.inside or self._line) and (not self._passed or self._passed[-1] + self.per <= now)

    def at_once(self, rate: int | None = None) -> bool:
        """Pass, if nothing has to be waited for."""
        if self._line or self.full:
            return False
        if rate is not None:
            now = anyio.current_time()
            if self._due(rate, now) > now:
                return False
            self._passed.append(now)
        self.inside += 1
        return True

    async def in_turn(self, rate: int | None = None, deadline: float | None = None) -> None:
        """Pass, when it is this message's turn; raises Expired as soon as that is known to be after `deadline`."""
        self._promise(rate, deadline)
        turn = anyio.Event()
        self._line.append(turn)
        try:
            if self._line[0] is not turn:
                await turn.wait()
            if self.full:
                self._freed = anyio.Event()
                await self._freed.wait()
            if rate is not None:
                await self._pause(rate, deadline)
            self.inside += 1
        finally:
            self._line.remove(turn)
            if self._line:
                self._line[0].set()

    def leave(self) -> None:
        """The message that passed is out again."""
        self.inside -= 1
        if self._freed is not None:
            self._freed.set()

    def seconds_left(self, rate: int | None) -> float:
        """Seconds until the next may pass, as far as the rate is concerned."""
        now = anyio.current_time()
        return max(0.0, self._due(rate, now) - now) if rate is not None else 0.0

    def _due(self, rate: int, now: float) -> float:
        """When the next may pass."""
        passed = self._passed
        while passed and passed[0] + self.per <= now:
            passed.popleft()
        return passed[-rate] + self.per if len(passed) >= rate else now

    def _promise(self, rate: int | None, deadline: float | None) -> float:
        now = anyio.current_time()
        due = now if rate is None else self._due(rate, now)
        if deadline is not None and due >= deadline:
            late = f"its turn would come in {due - now:.3g} s, and its deadline in {deadline - now:.3g} s"
            raise Expired(f"the message cannot pass in time: {late}")
        return due

    async def _pause(self, rate: int, deadline: float | None) -> None:
        due = self._promise(rate, deadline)
        if due > anyio.current_time():
            await anyio.sleep_until(due)
        self._passed.append(max(due, anyio.current_time()))  # a timer may be a hair early, and be late by any time


class Gates:
    """One gate for each key, and at most `most` of them; those that are idle are forgotten."""

    def __init__(self, concurrent: int | None, per: float, most: int) -> None:
        self._concurrent = concurrent
        self._per = per
        self._most = most
        self._gates: dict[Hashable, Gate] = {}
        self._sweep = min(most, 64)

    def __len__(self) -> int:
        return len(self._gates)

    @property
    def inside(self) -> int:
        """How many are let in by all of them."""
        return sum(gate.inside for gate in self._gates.values())

    @property
    def waiting(self) -> int:
        """How many are in line at one of them."""
        return sum(gate.waiting for gate in self._gates.values())

    def of(self, key: Hashable) -> Gate | None:
        """The gate of that key; None if all are in use."""
        gate = self._gates.get(key)
        if gate is None and self._room():
            gate = self._gates[key] = Gate(self._concurrent, self._per)
        return gate

    def _room(self) -> bool:
        if len(self._gates) >= self._sweep:
            now = anyio.current_time()
            self._gates = {key: gate for key, gate in self._gates.items() if not gate.idle(now)}
            self._sweep = min(self._most, max(64, 2 * len(self._gates)))
        return len(self._gates) < self._most
