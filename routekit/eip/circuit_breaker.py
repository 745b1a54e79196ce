"""Circuit Breaker: a branch that calls a system which may be down, and is left in peace while it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import anyio

from ..breaker import Breaker, Rules, State
from ..conduct import PLAIN, Conduct
from ..errors import CircuitOpen
from ..events import CircuitChanged
from ..isolation import apart
from ..keeping import name_checked
from ..message import Message
from ..passage import Passage
from ..remedy import Remedy
from ..rescuing import following
from ..step import OWN, Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class CircuitBreaker(Step[T, U]):
    """Steps of one name share one breaker, in all routes of a service.

    The fallback takes the place of a call that was not made or counts as failed. Errors that do not count are raised:
    they say something about the message. A call that is cancelled counts as neither.
    """

    word: ClassVar[str] = "circuit_breaker"
    raises = (CircuitOpen,)

    body: Chain
    name: str
    rules: Rules = field(default_factory=Rules)
    fallback: Chain | None = None

    def __post_init__(self) -> None:
        name_checked(self.name, "circuit_breaker")

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        rules = self.rules
        breaker = runtime.named(Breaker, self.name, rules)
        body = runtime.bind(self.body, finish, self.word)
        fallback = None if self.fallback is None else runtime.bind(self.fallback, finish, "fallback")
        now = anyio.current_time

        def tell(state: State, why: str, wait: float | None) -> None:
            runtime.emit(CircuitChanged(runtime.route, self.name, state, why, wait))

        async def guarded(message: Message[T]) -> Message[Any] | None:
            began = now()
            turn = breaker.enter(began, tell)
            try:
                reply = await body(message)
            except Exception as error:
                if rules.counts(error):
                    breaker.record(turn, began=began, now=now(), error=error, tell=tell)
                raise
            else:
                breaker.record(turn, began=began, now=now(), error=None, tell=tell)
                return reply
            finally:
                breaker.leave(turn)

        async def rescued(message: Message[T]) -> Message[Any] | None:
            assert fallback is not None
            try:
                return await guarded(apart(message))
            except Exception as error:
                if not (isinstance(error, CircuitOpen) or rules.counts(error)):
                    raise
                try:
                    return await fallback(message.with_meta(message.meta.with_error(error)))
                except Exception as worse:
                    following(worse, error)
                    raise

        call = guarded if fallback is None else rescued

        async def handle(message: Message[T]) -> Message[Any] | None:
            reply = await call(message)
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        async def open_() -> None:
            breaker.open(tell)

        async def close() -> None:
            breaker.close(tell)

        async def stats() -> dict[str, Any]:
            return breaker.stats(now())

        runtime.offer("open", self.name, open_)
        runtime.offer("close", self.name, close)
        runtime.offer("stats", self.name, stats)
        return handle

    def behaves(self) -> Conduct:
        if self.fallback is None:
            return PLAIN
        return Conduct(varies="the fallback gets a message of which the branch may have had the effect")

    @property
    def label(self) -> str:
        return f"circuit_breaker({self.name})"

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        inside = within == self.word and issubclass(kind, self.rules.on) and not issubclass(kind, self.rules.never)
        falls_back = self.fallback is not None and (inside or (within == OWN and issubclass(kind, CircuitOpen)))
        return [Remedy("rescue", self.word, "what its fallback gives goes on")] if falls_back else ()

    def classes(self) -> Sequence[type[Exception]]:
        named = (self.raises, self.rules.on, self.rules.never)
        return [kind for kinds in named for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]

    def explained(self, passage: Passage) -> str:
        called = self.word in passage.branches
        state = "closed: called" if called else f"'{self.name}' is open: not called"
        return f"{state}, then the fallback" if "fallback" in passage.branches else state

    def branches(self) -> Sequence[tuple[str, Chain]]:
        rest = [] if self.fallback is None else [("fallback", self.fallback)]
        return (("circuit_breaker", self.body), *rest)

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "passed" for label, _ in self.branches()}
