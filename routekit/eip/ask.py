"""Request-Reply: send a request to one endpoint, and wait for its reply from another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..answers import Answer
from ..conduct import PLAIN
from ..correlation import CORRELATION, RETURN_ADDRESS, Desk, Replies, token
from ..demands import amount
from ..errors import DefinitionError, Unanswered
from ..message import Message
from ..remedy import Remedy
from ..retrying import classes_of, remedies_of, retrying
from ..route import Retry
from ..step import OWN, Chain, Handler, Runtime, Step, Target

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Ask(Step[T, U]):
    """EIP "Request-Reply", with "Correlation Identifier" and "Return Address".

    A request has the headers of the message, a correlation id of its own for each try, and the return address. One
    job of the route reads the replies and hands each to the message that waits for it. A reply is acknowledged then:
    the message itself is not yet, so after a crash it asks again. A reply for which nobody waits is a dead letter.
    """

    conduct = PLAIN

    requests: Target
    replies: Target
    timeout: float
    answer: Answer
    late: Chain | None = None
    correlation: str = CORRELATION
    return_address: str | None = None
    retry: tuple[Retry, ...] = ()
    raises = (Unanswered,)
    leads = "aside"
    recorded = False

    def __post_init__(self) -> None:
        amount("ask: timeout", self.timeout)
        if self.return_address is None and "${" in str(self.replies):
            hint = "give return_address=..., as the other side is to write it"
            raise DefinitionError(f"ask: '{self.replies}' says nothing to the other side", hint=hint)

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        send = runtime.sender(self.requests, now=True)
        codec = None if self.requests.codec is None else runtime.codec(self.requests.codec)
        take, answer, rules = self.answer.taking(codec), self.answer, self.retry
        address = self.return_address or str(self.replies).partition("?")[0]
        desk = Desk(self.correlation)
        runtime.spawn(Replies(self.replies, self.late, desk, runtime).read)

        async def once(message: Message[T], vain: list[Exception]) -> Message[Any]:
            known_as = token(runtime)
            headers = {**message.headers, self.correlation: known_as, RETURN_ADDRESS: address}
            with desk.waiting(known_as) as waiter:
                await send(message.with_headers(headers))
                reply = await waiter.wait(self.timeout)
            if reply is None:
                vain.append(Unanswered(f"no reply from {self.replies} came within {self.timeout} s"))
                raise vain[-1]
            return reply

        async def ask(message: Message[T], vain: list[Exception]) -> Message[Any]:
            try:
                return await once(message, vain)
            except Exception as error:
                if not rules:
                    raise
                return await retrying(error, lambda _: once(message, vain), rules, runtime, message)

        asked = runtime.once(ask)

        async def handle(message: Message[T]) -> Message[Any] | None:
            vain: list[Exception] = []  # an Unanswered of the other side is no missing reply of ours
            try:
                reply = await asked(message, vain=vain)
            except Unanswered as error:
                if error not in vain:
                    raise
                return await proceed(await answer.without(message, error))
            assert reply is not None  # ask gives one, or raises
            return await proceed(await take(message, reply.body))

        return handle

    @property
    def label(self) -> str:
        return f"ask {self.requests} (replies: {self.replies})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return () if self.late is None else (("late replies", self.late),)

    def targets(self) -> Sequence[Target]:
        return (self.requests,)

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return remedies_of(self.retry, kind, "this step") if within == OWN else ()

    def classes(self) -> Sequence[type[Exception]]:
        return (*self.raises, *classes_of(self.retry))
