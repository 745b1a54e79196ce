"""Claim Check, the first half: the body rests in the store, and a ticket for it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..callables import called, calling
from ..conduct import PLAIN, Conduct
from ..fitting import Fit, fitting
from ..keeping import name_checked
from ..luggage import claim_id, header_of, shelf, text_of
from ..message import Message
from ..step import Handler, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")


class _ClaimId:
    """The ticket that is nothing but the id of the claim."""

    def __call__(self, body: object) -> str:
        return ""  # the step puts the id here

    def __repr__(self) -> str:
        return "CLAIM_ID"


CLAIM_ID = _ClaimId()
"""The body becomes the id of the claim."""


@dataclass(frozen=True)
class ClaimCheck(Step[T, U]):
    """EIP "Claim Check". The body is kept durably before the ticket goes on; `redeem` brings it back and forgets it.

    A try of the same delivery claims the same again, so a retry leaves nothing behind. What fails for good, or is
    delivered anew after a crash, leaves a claim that nobody redeems.
    """

    name: str
    ticket: Callable[..., Any] = CLAIM_ID
    body: Any = None
    folder: str | Path | None = None
    word = "claim"
    shares = True

    def __post_init__(self) -> None:
        name_checked(self.name, "claim")

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        bodies, header = shelf(self.name, self.folder, runtime), header_of(self.name)
        ticket = None if self.ticket is CLAIM_ID else calling(self.ticket)
        fits: dict[Any, Fit] = {}
        given = None if self.body is None else fitting(self.body)

        def fit_of(kind: type[Any]) -> Fit:
            if kind not in fits:
                fits[kind] = fitting(kind)
            return fits[kind]

        async def handle(message: Message[T]) -> Message[Any] | None:
            text = text_of(message.body, given or fit_of(type(message.body)))
            known_as = claim_id(message, text)
            body: Any = known_as if ticket is None else await called(ticket, message)
            await bodies.put(known_as, text)
            return await proceed(message.with_body(body).with_header(header, known_as))

        return handle

    def behaves(self) -> Conduct:
        return Conduct(loses="the bodies that it keeps") if self.folder is None else PLAIN

    @property
    def label(self) -> str:
        return f"claim({self.name})"

    def state(self) -> str | None:
        return self.name
