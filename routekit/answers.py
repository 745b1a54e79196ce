"""Answers: what the other side gave is checked, and makes a new body of the old one."""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from .absence import FAIL, Missing
from .callables import Coro, name_of
from .codec import Codec
from .errors import BodyError, DefinitionError
from .fitting import fitting
from .message import Message

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

Merge: TypeAlias = Callable[[T, U], Coroutine[Any, Any, V]] | Callable[[T, U], V]
"""Makes the new body: a function of the old one and the answer, plain or async."""


class _Replace:
    """The merge that keeps nothing of the old body."""

    __qualname__ = "REPLACE"

    def __call__(self, body: object, answer: U) -> U:
        return answer

    def __repr__(self) -> str:
        return "REPLACE"


REPLACE = _Replace()
"""The answer becomes the body."""

Take: TypeAlias = Callable[[Message[Any], Any], Coroutine[Any, Any, Message[Any]]]
"""`await take(message, answer)`: the message with its new body; raises BodyError for an answer that does not fit."""


@dataclass(frozen=True)
class Answer:
    """What an answer has to be, how it changes the body, and what stands for one that does not come."""

    type: Any
    merge: Callable[..., Any] = REPLACE
    missing: Any = FAIL

    def __post_init__(self) -> None:
        if not callable(self.merge):
            raise DefinitionError(f"merge is a function, found {self.merge!r}", hint=_HINT)
        try:
            inspect.signature(self.merge).bind(None, None)
        except TypeError:
            found = f"{name_of(self.merge)}{inspect.signature(self.merge)}"
            raise DefinitionError(f"merge is called with (body, answer), found {found}", hint=_HINT) from None
        except ValueError:  # some builtins have no signature
            return

    def taking(self, codec: Codec | None = None) -> Take:
        """How answers are taken; bytes and texts are read by `codec`, else as `parse` reads them."""
        fit, merged = fitting(self.type, codec), self.merged

        async def take(message: Message[Any], answer: Any) -> Message[Any]:
            try:
                made = fit(answer)
            except BodyError as error:
                raise BodyError(f"the answer does not fit: {error}", column=error.column) from error
            return await merged(message, made)

        return take

    async def without(self, message: Message[Any], error: Exception) -> Message[Any]:
        """The message with what stands for the answer; raises `error` if nothing does."""
        if isinstance(self.missing, Missing):
            raise error
        return await self.merged(message, self.missing)

    async def merged(self, message: Message[Any], answer: Any) -> Message[Any]:
        """The message with the body that the merge makes."""
        made = self.merge(message.body, answer)
        return message.with_body(await made if type(made) is Coro else made)


_HINT = "write merge=lambda body, answer: ..."
