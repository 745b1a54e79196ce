"""Throttle: at most so many messages in a while, or at once, in the rest of the route."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ..callables import Calling, arity, called, calling, name_of
from ..conduct import PLAIN
from ..demands import amount, one_of, whole
from ..errors import BodyError, DefinitionError, Throttled
from ..limits import Gate, Gates
from ..message import Message
from ..passage import Passage
from ..step import Handler, Runtime, Step

T = TypeVar("T")

_AT_ONCE = 0.005
"""Seconds that are not worth the word waiting."""


@dataclass(frozen=True)
class Throttle(Step[T, T]):
    """Throttler.

    A message that is too much waits in its slot, in the order of its coming, or is refused. A window of `per` seconds
    never holds more than `rate` messages, wherever it begins; there are no buckets that two bursts could meet between.
    """

    conduct = PLAIN

    raises = (Throttled,)

    rate: float | Callable[..., Any] | None = None
    per: float = 1.0
    key: Callable[..., Any] | None = None
    concurrent: int | None = None
    on_excess: Literal["wait", "refuse"] = "wait"
    most_keys: int = 10_000
    name: str | None = None

    def __post_init__(self) -> None:
        if self.rate is None and self.concurrent is None:
            raise DefinitionError("throttle has no limit", hint="give rate=, concurrent=, or both")
        if callable(self.rate):
            arity(self.rate)
        elif self.rate is not None:
            amount("rate", self.rate)
            if self.rate < 1:
                raise DefinitionError(f"rate is {self.rate}", hint="it is 1 or more; for less, make `per` longer")
        amount("per", self.per)
        if self.concurrent is not None:
            whole("concurrent", self.concurrent)
        whole("most_keys", self.most_keys)
        one_of("on_excess", self.on_excess, ("wait", "refuse"))

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        limits = (self.concurrent, self.per, self.most_keys)
        gates = Gates(*limits) if self.name is None else runtime.named(_gates, self.name, *limits)
        key_of = None if self.key is None else calling(self.key)
        rate_of = calling(self.rate) if callable(self.rate) else None
        fixed = None if self.rate is None or callable(self.rate) else int(self.rate)
        refuse = self.on_excess == "refuse"

        async def handle(message: Message[T]) -> Message[Any] | None:
            key = None if key_of is None else await called(key_of, message)
            rate = fixed if rate_of is None else await self._rate(rate_of, message)
            gate = self._gate(gates, key)
            if not gate.at_once(rate):
                if refuse:
                    raise self._excess(gate, rate, key)
                await gate.in_turn(rate, message.meta.deadline)
            try:
                return await proceed(message)
            finally:
                gate.leave()

        return handle

    async def _rate(self, rate_of: Calling, message: Message[T]) -> int:
        """The rate for this message."""
        rate = await called(rate_of, message)
        if isinstance(rate, int | float) and 1 <= rate < float("inf"):
            return int(rate)
        assert callable(self.rate)
        raise BodyError(f"{name_of(self.rate)} gave the rate {rate!r}", hint="it must be a number, 1 or more")

    def _gate(self, gates: Gates, key: Any) -> Gate:
        try:
            gate = gates.of(key)
        except TypeError as error:
            raise BodyError(f"the key to throttle by cannot be compared: {error}", hint="give a text") from None
        if gate is None:
            hint = "raise most_keys, or make `per` shorter"
            raise Throttled(f"all {self.most_keys:,} keys to throttle by are in use", hint=hint)
        return gate

    def _excess(self, gate: Gate, rate: int | None, key: object) -> Throttled:
        whose = "" if self.key is None else f" for {key!r}"
        if gate.full:
            return Throttled(f"{gate.inside} under way{whose}, and no more than {self.concurrent} may be")
        again = f"the next may pass in {gate.seconds_left(rate):.3g} s"
        return Throttled(f"{rate} messages in {self.per:g} s have passed{whose}", hint=again)

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return [function for function in (self.key, self.rate) if callable(function)]

    def explained(self, passage: Passage) -> str:
        if isinstance(passage.error, Throttled):
            return "too many"
        return f"waited {passage.seconds:.3g} s" if passage.seconds > _AT_ONCE else "at once"

    @property
    def label(self) -> str:
        rate = name_of(self.rate) if callable(self.rate) else f"{self.rate:g}" if self.rate is not None else ""
        limits = [f"{rate} per {self.per:g} s"] if rate else []
        limits += [f"{self.concurrent} at once"] if self.concurrent is not None else []
        return f"throttle({', '.join(limits)}{f' for each {name_of(self.key)}' if self.key else ''})"


def _gates(name: str, concurrent: int | None, per: float, most: int) -> Gates:
    return Gates(concurrent, per, most)
