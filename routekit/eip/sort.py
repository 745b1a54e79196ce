"""Sort: the elements of a body in order."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ..callables import arity, name_of
from ..conduct import PLAIN
from ..errors import BodyError, DefinitionError
from ..message import Message
from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Sort(Step[Iterable[T], list[T]]):
    """Camel's "Sort". Elements with equal keys stay in their order, also when it is reversed."""

    conduct = PLAIN

    key: Callable[[T], Any] | None = None
    reverse: bool = False

    def __post_init__(self) -> None:
        if self.key is not None and (not callable(self.key) or arity(self.key) != 1):
            raise DefinitionError(f"sort takes a function, found {self.key!r}", hint="write a function of one element")

    def bind(self, proceed: Handler[list[T]], runtime: Runtime) -> Handler[Iterable[T]]:
        key, reverse = self.key, self.reverse

        def handle(message: Message[Iterable[T]]) -> Awaitable[Message[Any] | None]:
            return proceed(message.with_body(_sorted(message.body, key, reverse=reverse)))

        return handle

    @property
    def label(self) -> str:
        by = [] if self.key is None else [name_of(self.key)]
        return f"sort({', '.join([*by, *(['reverse'] if self.reverse else [])])})"


def _sorted(body: object, key: Callable[[Any], Any] | None, *, reverse: bool) -> list[Any]:
    kind = type(body).__name__
    if not isinstance(body, Iterable) or isinstance(body, str | bytes | bytearray | dict):
        raise BodyError(f"sort wants a list of elements, found a {kind}")
    items = list(cast("Iterable[Any]", body))
    keys = items if key is None else [key(item) for item in items]
    try:
        order = sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)
    except TypeError as error:  # of the comparison: an error in the author's function is told as itself
        hint = "give a key for which all elements compare: key=lambda row: (row.due is None, row.due)"
        raise BodyError(f"the elements cannot be put in order: {error}", hint=hint) from None
    return [items[number] for number in order]
