"""Return Address: send the message to that one of some addresses which its request names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN
from ..errors import DefinitionError, Rejected
from ..message import Message
from ..remedy import Remedy
from ..retrying import classes_of, remedies_of, retrying
from ..route import Retry
from ..step import OWN, Handler, Runtime, Step, Target

T = TypeVar("T")


@dataclass(frozen=True)
class ReplyTo(Step[T, T]):
    """EIP "Return Address". The addresses are the author's: what a message says only chooses among them."""

    conduct = PLAIN

    addresses: Mapping[str, Target]
    header: str
    retry: tuple[Retry, ...] = ()
    word = "reply_to"

    def __post_init__(self) -> None:
        if not self.addresses:
            raise DefinitionError("reply_to has no address", hint="write those that may ask: reply_to('queue:answers')")

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        senders = {name: runtime.sender(target) for name, target in self.addresses.items()}
        header, rules = self.header, self.retry

        async def handle(message: Message[T]) -> Message[Any] | None:
            send = senders.get(asked := _asked(message, header))
            if send is None:
                reason = f"asked to reply to '{asked}', which is no address of this step"
                raise Rejected(reason, hint=f"it may reply to: {', '.join(senders)}")
            try:
                await send(message)
            except Exception as error:
                if not rules:
                    raise
                await retrying(error, lambda _: send(message), rules, runtime, message)
            return await proceed(message)

        return handle

    @property
    def label(self) -> str:
        return f"reply_to {', '.join(self.addresses)}"

    def targets(self) -> Sequence[Target]:
        return tuple(self.addresses.values())

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return remedies_of(self.retry, kind, "this step") if within == OWN else ()

    def classes(self) -> Sequence[type[Exception]]:
        return classes_of(self.retry)


def _asked(message: Message[Any], header: str) -> str:
    asked = message.headers.get(header)
    if asked is None:
        raise Rejected(f"the message has no header '{header}'", hint="it was not sent by one who waits for a reply")
    return str(asked).partition("?")[0]
