"""Normalizer: messages of several forms become one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..errors import BodyError, DefinitionError
from ..fitting import fitting
from ..message import Message
from ..step import Handler, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Normalize(Step[T, U]):
    """EIP "Normalizer": the first form that a message has decides which function makes the canonical body of it."""

    conduct = PLAIN

    to: Any
    forms: tuple[tuple[Callable[..., Any], Callable[..., Any]], ...]
    otherwise: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        if not self.forms:
            raise DefinitionError("normalize has no form", hint="write (predicate or type, function) for each of them")

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        fit = fitting(self.to)
        forms = [(calling(_recognizing(is_one)), calling(make)) for is_one, make in self.forms]
        otherwise = None if self.otherwise is None else calling(self.otherwise)

        async def making(message: Message[T]) -> Callable[[Message[Any]], Any]:
            for is_one, make in forms:
                if await called(is_one, message):
                    return make
            if otherwise is None:
                raise self._unknown(message.body)
            return otherwise

        async def handle(message: Message[T]) -> Message[Any] | None:
            make = await making(message)
            return await proceed(message.with_body(fit(await called(make, message))))

        return handle

    def _unknown(self, body: object) -> BodyError:
        known = ", ".join(name_of(is_one) for is_one, _ in self.forms)
        reason = f"a {type(body).__name__} has none of the forms that become {self._name}: {known}"
        return BodyError(reason, hint="add its form, or give otherwise=...")

    @property
    def _name(self) -> str:
        return getattr(self.to, "__name__", str(self.to))

    @property
    def label(self) -> str:
        return f"normalize({self._name}: {', '.join(name_of(is_one) for is_one, _ in self.forms)})"


def _recognizing(is_one: Callable[..., Any]) -> Callable[..., Any]:
    """A predicate as it is; a class recognizes its instances."""
    if not isinstance(is_one, type):
        return is_one
    try:
        isinstance(None, is_one)
    except TypeError as error:
        raise DefinitionError(f"no body can be recognized as {is_one!r}: {error}", hint="write a predicate") from None

    def is_instance(body: object) -> bool:
        return isinstance(body, is_one)

    return is_instance
