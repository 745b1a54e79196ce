"""Update: a value in the store is changed by each message, once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic_core import PydanticSerializationError, from_json, to_json

from ..absence import Missing
from ..answers import Answer
from ..callables import Coro, called, calling, name_of
from ..conduct import Conduct
from ..demands import amount, whole
from ..errors import BodyError, DefinitionError, StoreError
from ..fitting import Fit, fitting
from ..keeping import name_and_body_checked
from ..keys import key_text
from ..letter import packed, unpacked
from ..message import Message
from ..step import Handler, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")

VERSION = 1
"""Of the text that is kept."""


class _Keep:
    """The merge that keeps the body as it is."""

    __qualname__ = "KEEP"

    def __call__(self, body: T, value: object) -> T:
        return body

    def __repr__(self) -> str:
        return "KEEP"


KEEP = _Keep()
"""The body goes on as it is."""


@dataclass(frozen=True)
class Update(Step[T, U]):
    """A value for each key, kept in the store under `name`, changed by the messages of all who use that name.

    The ids of the last messages that have changed a value are kept with it, so one that is delivered again finds the
    change made. Of several that change it at once each sees what the one before has made.
    """

    name: str
    key: Callable[..., Any]
    change: Callable[[Any, Any], Any]
    answer: Answer
    remember: int = 100
    lasts: float | None = None
    word = "update"
    shares = True

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.answer.type, "update")
        if not callable(self.change):
            hint = "write change=lambda value, body: ..."
            raise DefinitionError(f"update '{self.name}': change is {self.change!r}", hint=hint)
        whole(f"update '{self.name}': remember", self.remember)
        if self.lasts is not None:
            amount(f"update '{self.name}': lasts", self.lasts)

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        values, key_of, fit = runtime.store.values(self.name), calling(self.key), fitting(self.answer.type)

        async def changed(message: Message[T]) -> Any:
            key = key_text(await called(key_of, message), self.key)
            while True:
                kept = await values.get(key)
                value, ids = self._first(key) if kept is None else _read(kept.text, fit)
                if message.id in ids:
                    return value
                made = self.change(value, message.body)
                made = await made if type(made) is Coro else made
                text = _text(made, [*ids, message.id][-self.remember :], fit)
                until = None if self.lasts is None else runtime.now() + self.lasts
                if await values.put(key, text, version=0 if kept is None else kept.version, until=until) is not None:
                    return made

        async def handle(message: Message[T]) -> Message[Any] | None:
            return await proceed(await self.answer.merged(message, await changed(message)))

        return handle

    def behaves(self) -> Conduct:
        return Conduct(
            varies="" if self.answer.merge is KEEP else "it carries the value as it is then", anew="its values"
        )

    @property
    def label(self) -> str:
        return f"update({self.name} by {name_of(self.key)})"

    def state(self) -> str | None:
        return self.name

    def _first(self, key: str) -> tuple[Any, list[str]]:
        if isinstance(self.answer.missing, Missing):
            hint = "give the value to begin with: first=..."
            raise BodyError(f"update '{self.name}': there is no value for '{key}' yet", hint=hint)
        return self.answer.missing, []


def _text(value: Any, ids: list[str], fit: Fit) -> str:
    """The value with the ids of those that changed it; raises BodyError if it would not come back."""
    try:
        data = packed(value)
        fit(unpacked(data))
        return to_json([VERSION, data, ids], inf_nan_mode="strings").decode()
    except (BodyError, PydanticSerializationError, RecursionError) as error:
        found = f"a value of type {type(value).__name__} cannot be kept: {error}"
        raise BodyError(found, hint="`change` gives what `body` says") from error


def _read(text: str, fit: Fit) -> tuple[Any, list[str]]:
    version, *rest = from_json(text)
    if version != VERSION:
        found = f"a value was kept in version {version}, this RouteKit reads versions up to {VERSION}"
        raise StoreError(found, hint="upgrade RouteKit; the value stays where it is")
    data, ids = rest
    return fit(unpacked(data)), ids
