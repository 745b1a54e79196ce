"""Failover: the first of several branches that succeeds; the next one gets the message when one fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import anyio

from ..conduct import Conduct
from ..demands import amount, errors
from ..errors import DefinitionError, PartsFailed, Rejected, did_you_mean
from ..events import Retrying
from ..isolation import apart
from ..message import Message
from ..passage import Passage
from ..remedy import Remedy
from ..route import Errors
from ..step import OWN, Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")
U = TypeVar("U")

Start: TypeAlias = Literal["first", "last_good", "next"]

_STARTS = ("first", "last_good", "next")


@dataclass(frozen=True)
class Failover(Step[T, U]):
    """Camel's failover load balancer; each message tries each branch at most once.

    `start` says which branch is tried first, the others follow in their order. A branch that failed is left alone for
    `rest` seconds: meanwhile it is tried only when all others have failed. Only errors of the classes in `on`, and
    none of those in `never`, lead to the next branch. What follows is not part of it.
    """

    conduct = Conduct(varies="the next branch gets a message of which the one before may have had the effect")

    options: tuple[Chain, ...]
    on: Errors = Exception
    never: Errors = Rejected
    start: Start = "first"
    rest: float = 0.0

    def __post_init__(self) -> None:
        if len(self.options) < 2:
            raise DefinitionError(f"failover has {len(self.options)} branches", hint="give two at least")
        if self.start not in _STARTS:
            raise DefinitionError(f"start is {self.start!r}", hint=did_you_mean(str(self.start), _STARTS))
        amount("rest", self.rest, least=0)
        errors("on", self.on)
        errors("never", self.never)

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        branches = [(name, runtime.bind(branch, finish, name)) for name, branch in self.branches()]
        order = _Order(len(branches), self.start, self.rest)

        async def handle(message: Message[T]) -> Message[Any] | None:
            failures: list[tuple[str, Exception]] = []
            reply: Message[Any] | None = None
            for number in order.now():
                name, branch = branches[number]
                try:
                    reply = await branch(apart(message))
                except Exception as error:
                    failures.append((name, error))
                    if self._leads_on(error):
                        order.failed(number)
                    self._go_on(message, failures, runtime)
                else:
                    order.succeeded(number)
                    break
            return None if reply is None else await proceed(reply)

        return handle

    def _go_on(self, message: Message[T], failures: Sequence[tuple[str, Exception]], runtime: Runtime) -> None:
        """Tell of the last failure, or raise it if no other branch is to be tried."""
        error, tried, total = failures[-1][1], len(failures), len(self.options)
        if tried < total and self._leads_on(error):
            runtime.emit(Retrying(runtime.route, message.id, tried, 0.0, error))
        elif tried == 1:
            raise error
        else:
            raise PartsFailed(failures, failed=tried, total=total, what="branches").behind(error)

    def _leads_on(self, error: Exception) -> bool:
        return self._handles(type(error))

    def _handles(self, kind: type[Exception]) -> bool:
        return issubclass(kind, self.on) and not issubclass(kind, self.never)

    def classes(self) -> Sequence[type[Exception]]:
        return [kind for kinds in (self.on, self.never) for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        next_one = within != OWN and self._handles(kind)
        return [Remedy("retry", "failover", "the next branch gets the message, until one succeeds")] if next_one else ()

    def explained(self, passage: Passage) -> str:
        *failed, last = passage.branches or ("",)
        return f"{last}, since {', '.join(failed)} failed" if failed and passage.on else last

    @property
    def label(self) -> str:
        start = "" if self.start == "first" else f"start={self.start}"
        rest = f"rest={self.rest:g}" if self.rest else ""
        return f"failover({', '.join(filter(None, (start, rest)))})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return tuple((f"branch-{number}", branch) for number, branch in enumerate(self.options, 1))

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "passed" for label, _ in self.branches()}


class _Order:
    """In which order the branches are tried now."""

    def __init__(self, size: int, start: Start, rest: float) -> None:
        self._start = start
        self._rest = rest
        self._first = 0
        self._until = [0.0] * size  # when the rest of each ends, by anyio's clock

    def now(self) -> Sequence[int]:
        first, size = self._first, len(self._until)
        if self._start == "next":
            self._first = (first + 1) % size
        order = [(first + number) % size for number in range(size)]
        if any(self._until):
            time = anyio.current_time()
            order.sort(key=lambda number: self._until[number] > time)  # stable: those that rest come last, in order
        return order

    def failed(self, number: int) -> None:
        if self._rest:
            self._until[number] = anyio.current_time() + self._rest

    def succeeded(self, number: int) -> None:
        self._until[number] = 0.0
        if self._start == "last_good":
            self._first = number
