"""Route and Policy: the values that a flow describes and that tools read and the machine runs."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from random import Random
from typing import Any, Literal, TypeAlias, cast

from .callables import arity
from .demands import amount, errors, whole
from .errors import DefinitionError, Rejected, did_you_mean, is_undone
from .letter import Letter
from .place import NOWHERE, Place
from .rescuing import Judge, Rescue, Rescues, checked, judging, nearness
from .step import Address, Chain, CodecChoice, Target
from .traced import Tracing, tracing_of
from .window import Window

Errors = type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently to try again.

    `attempts` is the number of retries after the first try. The wait before retry n is a random time up to
    `first * factor ** (n - 1)` seconds, never above `most` (exponential backoff with full jitter; AWS Architecture
    Blog, "Exponential Backoff And Jitter"). Only errors of the classes in `on` are retried, and none of those in
    `never`: what is `Rejected` cannot get better by waiting. `when` is a plain function of the error and has the last
    word: `when=lambda error: error.status == 503`; one that raises does not hold, and its error is noted on the first.
    """

    attempts: int = 3
    first: float = 0.5
    most: float = 60.0
    factor: float = 2.0
    on: Errors = Exception
    never: Errors = Rejected
    when: Callable[[Any], object] | None = None

    def __post_init__(self) -> None:
        least = {"attempts": 0, "first": 0, "most": 0, "factor": 1}
        asked = {option: getattr(self, option) for option in least}
        known = type(self.attempts) is int and all(isinstance(value, int | float) for value in asked.values())
        if not known or not all(asked[option] >= least[option] for option in least):
            said = ", ".join(f"{option}={value!r}" for option, value in asked.items())
            raise DefinitionError(
                f"Retry({said}) cannot work", hint="no value may be negative, and factor is 1 or more"
            )
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        errors("on of a retry", self.on)
        errors("never of a retry", self.never)
        if kinds and all(issubclass(kind, self.never) for kind in kinds):
            names = ", ".join(kind.__name__ for kind in kinds)
            raise DefinitionError(f"this never retries {names}", hint="`never` holds it; write never=() if it is meant")
        when = self.when
        if when is not None and (not callable(when) or iscoroutinefunction(when) or arity(when) != 1):
            raise DefinitionError(f"when of a retry is {when!r}", hint="write a plain function of the error")

    def handles(self, error: Exception) -> bool:
        """Whether this is an error worth another try."""
        return isinstance(error, self.on) and not isinstance(error, self.never) and self._wants(error)

    def _wants(self, error: Exception) -> bool:
        if self.when is None:
            return True
        try:
            return bool(self.when(error))
        except Exception as worse:  # the author's function
            error.add_note(f"whether it is worth a retry is not known: {type(worse).__name__}: {worse}")
            return False

    def wait(self, retry: int, random: Random) -> float:
        """Seconds to wait before retry number `retry`, counted from 1."""
        return random.uniform(0.0, self.longest(retry))

    def longest(self, retry: int) -> float:
        """The most seconds that retry number `retry` waits for."""
        return min(self.most, self.first * self.factor ** min(retry - 1, 64))


def rules_for(rules: Sequence[Retry], kind: type[Exception]) -> Sequence[Retry]:
    """The rules that may retry an error of that class, as they are asked: that for the nearest class first.

    Of one class, those with a predicate come before the one without.
    """
    near = [(nearness(kind, rule.on), rule.when is None, rule) for rule in rules if not issubclass(kind, rule.never)]
    return [rule for *_, rule in sorted((one for one in near if one[0] is not None), key=lambda one: one[:2])]


def retry_for(rules: Sequence[Retry], error: Exception) -> Retry | None:
    """The rule for the class nearest to the error's own.

    What a saga has undone is begun anew only by a rule for a class below Exception: a general one is not meant for it.
    """
    kind = type(error)
    rule = next((rule for rule in rules_for(rules, kind) if rule.handles(error)), None)
    if rule is not None and is_undone(error) and nearness(kind, rule.on) == nearness(kind, Exception):
        return None
    return rule


def again(rules: Sequence[Retry], error: Exception, tried: int) -> Retry | None:
    """The rule that allows another try after so many, if there is one."""
    rule = retry_for(rules, error)
    return rule if rule is not None and tried <= rule.attempts else None


def rules_of(retry: Retry | tuple[Retry, ...]) -> tuple[Retry, ...]:
    """One rule or several as several; raises DefinitionError for two without `when` that are for the same class."""
    rules = (retry,) if isinstance(retry, Retry) else retry
    given = cast("object", rules)
    if not isinstance(given, tuple) or not all(isinstance(rule, Retry) for rule in cast("tuple[object, ...]", given)):
        raise DefinitionError(f"retry is {retry!r}", hint="write Retry(3), or a tuple of several")
    seen: set[type[Exception]] = set()
    for rule in (rule for rule in rules if rule.when is None):
        kinds = set(rule.on if isinstance(rule.on, tuple) else (rule.on,))
        for kind in sorted(kinds & seen, key=lambda kind: kind.__name__):
            message = f"two rules retry {kind.__name__}, and nothing says which of them"
            raise DefinitionError(message, hint="give each class one rule, or all but one of them when=")
        seen |= kinds
    return rules


STORE = "store"
"""The dead letter channel that keeps letters in the store, where `routekit letters` finds them."""

REFUSE = "refuse"
"""No dead letters: a failed message goes back to its source."""


Durable: TypeAlias = Literal["none", "store"]
"""How a route keeps its messages: `none` leaves them with their source until they are done, `store` journals them."""

_DURABLE = ("none", "store")

Require: TypeAlias = Literal["at_least_once", "effectively_once", "ordered", "ordered_per_key", "survives_a_crash"]
"""What a route is required to promise at each of its sinks."""

_REQUIRE = ("at_least_once", "effectively_once", "ordered", "ordered_per_key", "survives_a_crash")

REMEMBER = 86_400.0
"""Seconds, one day, for which the ids that a durable route has finished are remembered."""


def cannot_refuse() -> DefinitionError:
    """What is wrong with a durable route that is to give messages back."""
    found = "a durable route cannot give messages back: their source has been told by then"
    return DefinitionError(found, hint="leave out dead_letter='refuse': what fails becomes a dead letter")


@dataclass(frozen=True)
class Runs:
    """When a route runs.

    `start="manual"`: not before the control bus starts it. `after`: names of routes that must have started before, and
    that stop after it. `during`: a window, or several, outside which the route is paused. `pause_when_open`: the name
    of a circuit breaker; while it is open, and cannot be probed yet, the route is paused.
    """

    start: Literal["auto", "manual"] = "auto"
    after: str | tuple[str, ...] = ()
    during: Window | tuple[Window, ...] = ()
    pause_when_open: str = ""

    def __post_init__(self) -> None:
        if self.start not in ("auto", "manual"):
            raise DefinitionError(f"start is '{self.start}'", hint="it is 'auto' or 'manual'")
        if not all(isinstance(cast("object", window), Window) for window in self.windows):
            hint = "write a Window('08:00', '18:00'), or a tuple of them"
            raise DefinitionError(f"during is {self.during!r}", hint=hint)
        if not all(isinstance(cast("object", other), str) for other in self.others):
            raise DefinitionError(f"after is {self.after!r}", hint="write the name of a route, or a tuple of them")

    @property
    def others(self) -> tuple[str, ...]:
        """The routes that must have started before."""
        return self.after if isinstance(self.after, tuple) else (self.after,)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows in which the route runs; none means always."""
        return self.during if isinstance(self.during, tuple) else (self.during,)


ALWAYS = Runs()
"""As soon as the service runs, and as long."""


@dataclass(frozen=True)
class Policy:
    """How a route treats its messages.

    `concurrency`: messages in flight at once (default: 1, or what its callers bound for `direct:` and servers).
    `order_by`: messages for which this gives equal keys are handled one after the other, in order.
    `retry`: one rule, or several of which that for the nearest class counts; the route is run again from its start
    with the original message. `rescue`: what is done then, by class of the error: `{ValueError: rescue(branch)}`.
    `dead_letter`: `"store"`, `"refuse"`, or a branch made by `dead_letters(...)`; unset means the store, or refusal
    where the source waits for an answer. `deadline`: seconds that a message may take in all, retries included.
    `history`: keep the steps that a message passes, for its letter. `on_failure`: called with `(error)` or `(error,
    message)` after every try that failed. `before_letter`: makes the letter that is kept of the one that would be.
    `runs`: when the route runs at all, `Runs(during=Window("08:00", "18:00"))`. `durable`: with `"store"` a message is
    kept in the store when it arrives, and its source is told at once; after a crash it goes on where it was.
    `remember`: seconds for which the ids of what a durable route has finished are remembered (default: a day).
    `trace`: follow messages step by step, for `routekit trace` and `explain`: `True`, a share of them such as 0.01,
    `"failed"` for those that fail, or `Tracing(...)`.

    What is unset is what the policy of the module says, then the settings.
    """

    concurrency: int | None = None
    order_by: Callable[[Any], object] | None = None
    retry: Retry | tuple[Retry, ...] = ()
    dead_letter: "str | Chain | None" = None
    deadline: float | None = None
    runs: Runs | None = None
    rescue: Rescues = field(default_factory=dict[type[Exception], Rescue | tuple[Rescue, ...]])
    history: bool | None = None
    on_failure: Judge | None = None
    before_letter: "Callable[[Letter], Letter | Coroutine[Any, Any, Letter]] | None" = None
    durable: Durable | None = None
    remember: float | None = None
    require: Require | tuple[Require, ...] | None = None
    trace: Tracing | bool | float | Literal["failed"] | None = None

    def __post_init__(self) -> None:
        self._durable_checked()
        tracing_of(self.trace)
        for word in self.requires:
            if word not in _REQUIRE:
                raise DefinitionError(f"require is {word!r}", hint=did_you_mean(str(word), _REQUIRE))
        if self.concurrency is not None:
            whole("concurrency", self.concurrency)
        if self.deadline is not None:
            amount("deadline", self.deadline)
        if not isinstance(cast("object", self.dead_letter), str | Chain | None):
            hint = f"write '{STORE}', '{REFUSE}' or dead_letters(lambda letters: ...)"
            raise DefinitionError(f"dead_letter is {self.dead_letter!r}", hint=hint)
        if self.order_by is not None and (
            not callable(self.order_by) or iscoroutinefunction(self.order_by) or arity(self.order_by) != 1
        ):
            raise DefinitionError(f"order_by is {self.order_by!r}", hint="write a plain function of the body")
        if isinstance(self.dead_letter, str) and self.dead_letter not in (STORE, REFUSE):
            raise DefinitionError(
                f"dead_letter is '{self.dead_letter}'",
                hint=f"write '{STORE}', '{REFUSE}' or dead_letters(lambda letters: letters.to('{self.dead_letter}'))",
            )
        rules_of(self.retry)
        checked(self.rescue)
        if self.on_failure is not None:
            judging(self.on_failure, "on_failure")
        if self.before_letter is not None and (not callable(self.before_letter) or arity(self.before_letter) != 1):
            hint = "write a function of the letter that gives the letter to keep"
            raise DefinitionError(f"before_letter is {self.before_letter!r}", hint=hint)

    def _durable_checked(self) -> None:
        if self.durable not in (None, *_DURABLE):
            raise DefinitionError(f"durable is {self.durable!r}", hint="write 'store' or 'none'")
        if self.remember is not None:
            amount("remember", self.remember, least=0)

    @property
    def requires(self) -> tuple[Require, ...]:
        """What is required, one word or several."""
        return () if self.require is None else (self.require,) if isinstance(self.require, str) else self.require

    @property
    def retries(self) -> tuple[Retry, ...]:
        """The retry rules, in any order."""
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
    module: Policy | None = None
    """The policy of the module that it is written in, for what its own does not say."""

    @property
    def endpoint(self) -> str | Address:
        return self.source.endpoint
