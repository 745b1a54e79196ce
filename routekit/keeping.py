"""A message as text and back: how stateful patterns keep one in a store."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from .errors import BodyError, DefinitionError, StoreError
from .letter import packed, unpacked
from .message import Message

VERSION = 1
"""Of the text. Texts of the first releases have none; one of a later release may have another, and is not read."""


class Keeping:
    """Keeps messages whose body is a `kind`: `fit` makes it of plain data again."""

    def __init__(self, kind: Any, fit: Callable[[Any], Any]) -> None:
        self._kind = kind
        self._fit = fit

    def text(self, message: Message[Any]) -> str:
        """The message as JSON; raises BodyError if it would not come back as it is."""
        body = packed(message.body)
        try:
            self._fit(unpacked(body))
            headers = {name: packed(value) for name, value in message.headers.items()}
            return to_json([VERSION, message.id, body, headers], inf_nan_mode="strings").decode()
        except (BodyError, PydanticSerializationError, RecursionError) as error:
            reason = f"a body of type {type(message.body).__name__} cannot be kept as {self._name}: {error}"
            raise BodyError(reason, hint="give the type of the bodies that come here") from error

    def raw(self, text: str) -> Message[Any]:
        """The message that `text` kept, its body still plain data; raises StoreError for a text of a later release."""
        version, known_as, body, headers = _versioned(text)
        if version != VERSION:
            found = f"a message was kept in version {version}, this RouteKit reads versions up to {VERSION}"
            raise StoreError(found, hint="upgrade RouteKit; the message stays where it is")
        return Message(unpacked(body), {name: unpacked(value) for name, value in headers.items()}, known_as)

    def message(self, text: str) -> Message[Any]:
        """The message that `text` kept."""
        message = self.raw(text)
        return message.with_body(self.body(message.body))

    def body(self, data: Any) -> Any:
        """A body of the kind, from what `raw` gives or a letter keeps; raises BodyError."""
        return self._fit(unpacked(data))

    @property
    def _name(self) -> str:
        return getattr(self._kind, "__name__", None) or str(self._kind)


def _versioned(text: str) -> Sequence[Any]:
    try:
        parts = from_json(text)
    except ValueError as error:
        raise StoreError(f"what was kept is no message: {error}") from error
    return [VERSION, *parts] if isinstance(parts[0], str) else [*parts, None, None, None][:4]


def name_checked(name: object, word: str) -> None:
    """Refuse a step whose state has no name."""
    if not isinstance(name, str) or not name:
        hint = "give the state a name that stays when the route is renamed"
        raise DefinitionError(f"{word}: the name of the state is {name!r}", hint=hint)


def name_and_body_checked(name: object, body: object, word: str) -> None:
    """Refuse a step whose state has no name, or whose bodies have no type."""
    name_checked(name, word)
    if body is None or isinstance(body, str | int | float):
        hint = f"give the type of the bodies that come here: .{word}({name!r}, Order, ...)"
        raise DefinitionError(f"{word} '{name}': the type of the bodies is {body!r}", hint=hint)
