"""Route and Policy: the values that a flow describes and that tools read and the machine runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .errors import DefinitionError, Rejected
from .place import NOWHERE, Place
from .step import Address, Chain, CodecChoice, Target

Errors = type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently to try again.

    `attempts` is the number of retries after the first try. The wait before retry n is a random time up to
    `first * factor ** (n - 1)` seconds, never above `most` (exponential backoff with full jitter; AWS Architecture
    Blog, "Exponential Backoff And Jitter"). Only errors of the classes in `on` are retried, and none of those in
    `never`: what is `Rejected` cannot get better by waiting.
    """

    attempts: int = 3
    first: float = 0.5
    most: float = 60.0
    factor: float = 2.0
    on: Errors = Exception
    never: Errors = Rejected

    def __post_init__(self) -> None:
        if self.attempts < 0 or self.first < 0 or self.most < 0 or self.factor < 1:
            asked = f"Retry(attempts={self.attempts}, first={self.first}, most={self.most}, factor={self.factor})"
            raise DefinitionError(f"{asked} cannot work", hint="no value may be negative, and factor is 1 or more")

    def handles(self, error: Exception) -> bool:
        """Whether this is an error worth another try."""
        return isinstance(error, self.on) and not isinstance(error, self.never)

    def wait(self, retry: int, random: Random) -> float:
        """Seconds to wait before retry number `retry`, counted from 1."""
        ceiling = min(self.most, self.first * self.factor ** min(retry - 1, 64))
        return random.uniform(0.0, ceiling)


def retry_for(rules: Sequence[Retry], error: Exception) -> Retry | None:
    """The first rule that handles the error: rules for special classes are written before the general one."""
    return next((rule for rule in rules if rule.handles(error)), None)


STORE = "store"
"""The dead letter channel that keeps letters in the store, where `routekit letters` finds them."""

REFUSE = "refuse"
"""No dead letters: a failed message goes back to its source."""


@dataclass(frozen=True)
class Policy:
    """How a route treats its messages.

    `concurrency`: messages in flight at once (default: 1, or what its callers bound for `direct:` and servers).
    `order_by`: messages for which this gives equal keys are handled one after the other, in order.
    `retry`: one rule, or several of which the first that handles the error counts; the route is run again from its
    start with the original message. `dead_letter`: `"store"`, `"refuse"`, or a branch made by `dead_letters(...)`;
    unset means the store, or refusal where the source waits for an answer. `deadline`: seconds that a message may
    take in all, retries included.
    """

    concurrency: int | None = None
    order_by: Callable[[Any], object] | None = None
    retry: Retry | tuple[Retry, ...] = ()
    dead_letter: "str | Chain | None" = None
    deadline: float | None = None

    def __post_init__(self) -> None:
        if self.concurrency is not None and self.concurrency < 1:
            raise DefinitionError(f"concurrency is {self.concurrency}", hint="it must be 1 or more")
        if self.deadline is not None and self.deadline <= 0:
            raise DefinitionError(f"deadline is {self.deadline} seconds", hint="it must be more than 0")
        if isinstance(self.dead_letter, str) and self.dead_letter not in (STORE, REFUSE):
            raise DefinitionError(
                f"dead_letter is '{self.dead_letter}'",
                hint=f"write '{STORE}', '{REFUSE}' or dead_letters(lambda letters: letters.to('{self.dead_letter}'))",
            )

    @property
    def retries(self) -> tuple[Retry, ...]:
        """The retry rules, most special first."""
        return (self.retry,) if isinstance(self.retry, Retry) else self.retry


@dataclass(frozen=True)
class Route:
    """A source, what happens to its messages, and how failure is treated."""

    name: str
    source: Target
    body: Any
    """The type that bodies are checked or parsed into; None takes them as they come."""
    codec: CodecChoice | None
    chain: Chain
    policy: Policy | None = None
    place: Place = field(default=NOWHERE, compare=False)
    doc: str = field(default="", compare=False)
    entry: int = 0
    """Where messages enter: 0 at the start, else where the parts of that number do; for replaying their letters."""

    @property
    def endpoint(self) -> str | Address:
        return self.source.endpoint
