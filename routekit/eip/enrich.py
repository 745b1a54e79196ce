"""Content Enricher: ask an endpoint, and go on with its answer in the body."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..answers import Answer
from ..conduct import PLAIN
from ..errors import NoAnswer
from ..message import Message
from ..remedy import Remedy
from ..retrying import classes_of, remedies_of, retrying
from ..route import Retry
from ..step import OWN, Handler, Runtime, Step, Target

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Enrich(Step[T, U]):
    """EIP "Content Enricher". Headers and id of the message stay its own; only the body of the answer is taken."""

    conduct = PLAIN

    target: Target
    answer: Answer
    retry: tuple[Retry, ...] = ()
    raises = (NoAnswer,)

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        send = runtime.sender(self.target, now=True)
        answer, target, rules = self.answer, str(self.target), self.retry
        take = answer.taking(None if self.target.codec is None else runtime.codec(self.target.codec))

        async def ask(message: Message[T]) -> Message[Any] | None:
            try:
                return await send(message)
            except Exception as error:
                if not rules:
                    raise
                return await retrying(error, lambda _: send(message), rules, runtime, message)

        async def handle(message: Message[T]) -> Message[Any] | None:
            given = await ask(message)
            if given is None:
                hint = "give missing=... if that is fine, or send to it with to(...)"
                return await proceed(await answer.without(message, NoAnswer(f"{target} gave no answer", hint=hint)))
            return await proceed(await take(message, given.body))

        return handle

    @property
    def label(self) -> str:
        return f"enrich {self.target}"

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return remedies_of(self.retry, kind, "this step") if within == OWN else ()

    def classes(self) -> Sequence[type[Exception]]:
        return (*self.raises, *classes_of(self.retry))

    def targets(self) -> Sequence[Target]:
        return (self.target,)
