"""Claim Check, the second half: the body that a ticket stands for comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..answers import Answer
from ..callables import Calling, called, calling
from ..claims import Claims
from ..conduct import PLAIN, Conduct
from ..errors import ClaimGone
from ..fitting import fitting
from ..keeping import name_checked
from ..luggage import body_of, header_of, known, shelf, state_of
from ..message import Message
from ..step import Handler, Onward, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")

_LEASE = 60.0
_REMEMBER = 7_776_000.0
"""Seconds, 90 days, for which it is known that a ticket was redeemed."""


@dataclass(frozen=True)
class Redeem(Step[T, U]):
    """EIP "Claim Check". The claim is forgotten when the rest of the route has returned, and kept if it failed.

    The same ticket delivered once more after that ends here; another message with the same claim is refused. With
    `keep` the claim stays, for any number of messages.
    """

    name: str
    answer: Answer
    key: Callable[..., Any] | None = None
    keep: bool = False
    folder: str | Path | None = None
    raises = (ClaimGone,)

    def __post_init__(self) -> None:
        name_checked(self.name, "redeem")

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        bodies = shelf(self.name, self.folder, runtime)
        key = _carried(header_of(self.name)) if self.key is None else calling(self.key)
        fit, answer, name = fitting(self.answer.type), self.answer, self.name

        async def redeemed(message: Message[T], claim: str) -> Message[Any] | None:
            text = await bodies.get(claim)
            if text is None:
                hint = "it was redeemed before, by another message, or belongs to another store or folder"
                error = ClaimGone(f"the claim '{claim}' of '{name}' is not there", hint=hint)
                return await proceed(await answer.without(message, error))
            return await proceed(await answer.merged(message, body_of(text, fit)))

        async def keeping(message: Message[T]) -> Message[Any] | None:
            return await redeemed(message, known(await called(key, message)))

        if self.keep:
            return keeping
        claims = Claims(state_of(self.name), _LEASE, runtime, remember=_REMEMBER, renewed=True)

        async def handle(message: Message[T]) -> Message[Any] | None:
            claim = known(await called(key, message))
            forget = partial(bodies.delete, claim)  # once more where a crash came in between
            return await claims.once(f"{claim}/{message.id}", lambda: redeemed(message, claim), after=forget)

        return handle

    @property
    def onward(self) -> Onward:
        return "runs" if self.keep else "done"

    def behaves(self) -> Conduct:
        return Conduct(loses="the bodies that it brings back") if self.folder is None else PLAIN

    @property
    def label(self) -> str:
        return f"redeem({self.name})"


def _carried(header: str) -> Calling:
    """What a header says."""
    return lambda message: message.headers.get(header)
