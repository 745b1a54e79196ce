"""Rescuing: which clause of which scope is asked about an error, and what errors in error handling keep.

The machine and `routekit explain-errors` ask the same functions here. Of the scopes the inner one is asked first; in it
the class nearest to the error's own, as Python orders its ancestors; of one class, those with a predicate before the
one without. So nothing depends on the order in which clauses for different classes are written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, Literal, TypeAlias, TypeVar, cast

from .callables import Coro, name_of
from .discretion import concerns, discreet, told
from .errors import DefinitionError, did_you_mean
from .message import Message
from .place import NOWHERE, Place
from .remedy import Remedy
from .step import Chain

E = TypeVar("E", bound=Exception)

Judge: TypeAlias = Callable[[Exception], object] | Callable[[Exception, Message[Any]], object]
"""What looks at an error: a plain or async function of `(error)` or `(error, message)`."""

Then: TypeAlias = Literal["reply", "go_on"]

THEN: Sequence[Then] = ("reply", "go_on")


@dataclass(frozen=True)
class Rescue:
    """What is done about errors of a class; made by `rescue(...)`, where the options are explained."""

    branch: Chain
    when: Judge | None = None
    then: Then = "reply"
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.then not in THEN:
            raise DefinitionError(f"then is '{self.then}'", hint=did_you_mean(self.then, THEN))
        if self.when is not None:
            judging(self.when, "when")

    @cached_property
    def judge(self) -> Callable[[Exception, Message[Any]], Any] | None:
        """The predicate as one of `(error, message)`."""
        return None if self.when is None else judging(self.when, "when")


Rescues: TypeAlias = Mapping[type[Exception], Rescue | tuple[Rescue, ...]]
"""The clauses of one scope by class; several of one class differ by their predicates."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A rescue, with the scope that it belongs to and the class that it is for."""

    scope: str
    kind: type[Exception]
    rescue: Rescue

    @property
    def label(self) -> str:
        """What it is called in drawings and errors."""
        return f"rescue {self.kind.__name__}"

    def remedy(self, then: str) -> Remedy:
        """What it is, for `explain-errors`."""
        when = "" if self.rescue.when is None else name_of(self.rescue.when)
        return Remedy("rescue", self.scope, then, self.kind.__name__, when, self.rescue.place)


class Clauses:
    """The clauses of scopes, the inner one first."""

    def __init__(self, *scopes: tuple[str, Rescues]) -> None:
        self._scopes = [(name, {kind: several(given) for kind, given in those.items()}) for name, those in scopes]

    def __iter__(self) -> Iterator[Clause]:
        for scope, kinds in self._scopes:
            for kind, those in kinds.items():
                yield from (Clause(scope, kind, rescue) for rescue in those)

    def asked(self, kind: type[Exception]) -> Sequence[Clause]:
        """The clauses that are asked about an error of that class, in order; the first whose predicate holds counts."""
        return [
            Clause(scope, near, rescue)
            for scope, kinds in self._scopes
            for near in kind.__mro__
            for rescue in kinds.get(near, ())
        ]


def several(given: Rescue | tuple[Rescue, ...]) -> tuple[Rescue, ...]:
    """The clauses of one class, those with a predicate first."""
    those = (given,) if isinstance(given, Rescue) else given
    return tuple(sorted(those, key=lambda rescue: rescue.when is None))


def checked(rescues: Mapping[Any, Any]) -> None:
    """Raises DefinitionError for clauses that cannot work."""
    if not isinstance(cast("object", rescues), Mapping):
        hint = "write {ValueError: rescue(lambda flow: ...)}"
        raise DefinitionError(f"rescue is by class of Exception, found {rescues!r}", hint=hint)
    for named, given in rescues.items():
        kind = cast("object", named)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise DefinitionError(f"rescue is by class of Exception, found {_named(named)}", hint=_why_not(named))
        those = cast("tuple[object, ...]", given if isinstance(given, tuple) else (given,))
        if not those or not all(isinstance(one, Rescue) for one in those):
            hint = "write {ValueError: rescue(lambda flow: ...)}"
            raise DefinitionError(f"rescue of {kind.__name__} is {given!r}", hint=hint)
        if sum(cast("Rescue", one).when is None for one in those) > 1:
            message = f"two clauses rescue {kind.__name__}, and nothing says which of them"
            raise DefinitionError(message, hint="give all but one a predicate: rescue(branch, when=...)")


def _named(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else repr(kind)


def _why_not(kind: object) -> str:
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return f"{kind.__name__} ends the program or a task, and nothing holds it up"
    return "write {ValueError: ...}; what several classes have in common is a class above them, or a clause for each"


def nearness(kind: type[Exception], named: type[Exception] | tuple[type[Exception], ...]) -> int | None:
    """How near `kind` is to the nearest of the classes named: 0 for itself, None if it is none of them.

    >>> nearness(KeyError, LookupError), nearness(KeyError, (OSError, KeyError)), nearness(KeyError, OSError)
    (1, 0, None)
    """
    wanted = named if isinstance(named, tuple) else (named,)
    return next((steps for steps, near in enumerate(kind.__mro__) if near in wanted), None)


def judging(function: Judge, word: str) -> Callable[[Exception, Message[Any]], Any]:
    """`function` as one of `(error, message)`; raises DefinitionError if it takes neither one nor two arguments."""
    if not callable(function):
        raise DefinitionError(f"{word} takes a function, found {function!r}", hint="write a function of the error")
    one, both = cast("Callable[[Exception], Any]", function), cast("Callable[[Exception, Message[Any]], Any]", function)
    try:
        parameters = signature(function).parameters.values()
    except ValueError:  # some builtins have no signature: they take the error
        return lambda error, _: one(error)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    starred = any(p.kind is Parameter.VAR_POSITIONAL for p in parameters)
    if len(needed) > 2 or any(p.kind is p.KEYWORD_ONLY for p in needed) or not (positional or starred):
        found = f"{name_of(function)}{signature(function)}"
        raise DefinitionError(f"{word} calls its function with (error) or (error, message), found {found}")
    return both if len(needed) == 2 else lambda error, _: one(error)


async def judged(judge: Callable[[Exception, Message[Any]], Any], error: Exception, message: Message[Any]) -> Any:
    """What `judge` says, awaited if there is something to await."""
    result: Any = judge(error, message)
    return await result if type(result) is Coro else result


async def counting(
    clauses: Sequence[Clause], error: Exception, message: Message[Any], *, tell: Callable[[str], None]
) -> Clause | None:
    """The first of these clauses whose predicate holds.

    A predicate that raises does not hold; its error is noted on the first one, and told.
    """
    for clause in clauses:
        when, judge = clause.rescue.when, clause.rescue.judge
        if when is None or judge is None:
            return clause
        try:
            if await judged(judge, error, message):
                return clause
        except Exception as worse:  # the author's function
            concerns(worse, message)
            noted(error, f"when={name_of(when)} of {clause.label}", worse, tell)
    return None


def following(worse: E, first: Exception) -> E:
    """`worse`, which happened while `first` was dealt with: `first` stands at the end of its chain of causes."""
    if any(first is known for known in (worse, *causes(worse))):
        return worse
    if any(worse is known for known in causes(first)):  # one that was raised again, such as `raise error.__cause__`
        worse.add_note(f"while dealing with {told(first)}")
        return worse
    last: BaseException = (worse, *causes(worse))[-1]
    last.__cause__ = first
    return worse


def causes(error: BaseException) -> Sequence[BaseException]:
    """The errors behind an error, the nearest first; itself if it is its own cause."""
    found: list[BaseException] = []
    cause = error.__cause__
    while cause is not None and not any(cause is known for known in found):
        found.append(cause)
        cause = cause.__cause__
    return found


def noted(error: Exception, where: str, worse: Exception, tell: Callable[[str], None]) -> None:
    """Keep an error that must not hide the first one: as a note on it, and as a line in the log."""
    text = f"{where} failed too: {discreet(told(worse), error)}"
    tell(text)
    try:
        error.add_note(text)
    except AttributeError:  # an exception with slots
        return
