"""Content Filter: of a body only the fields that are wanted go on, as plain data."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN
from ..errors import BodyError, DefinitionError
from ..message import Message
from ..paths import check, dropped, kept, tree
from ..plain import plain
from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class ContentFilter(Step[T, dict[str, Any]]):
    """EIP "Content Filter". What `drop` names is taken out of what `keep` leaves.

    `of` is the type of the bodies where the language knows it: then a name that it has not is found by `check`, else
    by the first body of a model or dataclass.
    """

    conduct = PLAIN

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    strict: bool = True
    of: Any = None
    word = "content_filter"

    def __post_init__(self) -> None:
        if not self.keep and not self.drop:
            raise DefinitionError("content_filter keeps all and drops nothing", hint="give keep=... or drop=...")
        tree((*self.keep, *self.drop))

    def bind(self, proceed: Handler[dict[str, Any]], runtime: Runtime) -> Handler[T]:
        keep, drop, strict = tree(self.keep), tree(self.drop), self.strict
        fits: set[type[Any]] = set()
        if self.of is not None:
            check(self.of, keep)
            check(self.of, drop)

        def handle(message: Message[T]) -> Awaitable[Message[Any] | None]:
            kind = type(message.body)
            data = plain(message.body)
            if not isinstance(data, dict):
                raise BodyError(f"content_filter takes fields, found a {kind.__name__}", hint="split lists first")
            if kind not in fits and kind is not dict:
                _check_now(kind, keep, drop)
                fits.add(kind)
            data = kept(data, keep, strict=strict)
            return proceed(message.with_body(dropped(data, drop, strict=strict) if drop else data))

        return handle

    @property
    def label(self) -> str:
        keep = [f"keep={', '.join(self.keep)}"] if self.keep else []
        drop = [f"drop={', '.join(self.drop)}"] if self.drop else []
        return f"content_filter({'; '.join([*keep, *drop])})"


def _check_now(kind: type[Any], *paths: Any) -> None:
    try:
        for one in paths:
            check(kind, one)
    except DefinitionError as error:
        raise BodyError(error.message, hint=error.hint) from None
