"""A message as one text, and back: how a journal and a durable queue keep one that is on its way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, from_json, to_json

from .errors import BodyError, StoreError
from .letter import kind_named, kind_of, packed, unpacked
from .message import Message

VERSION = 1
"""Of the text; one that is written by a later release may have another, which this one does not read."""

_UNKEPT = "!"

_LEAVES = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Written:
    """What a text says: the message, its body plain data unless the class is known, and when it came, since 1970."""

    message: Message[Any]
    born: float


def written(message: Message[Any], born: float, *, fit: Callable[[Any], Any] | None = None) -> str:
    """The message as text; `born` is when it came. Raises BodyError for a body that would not come back.

    With `fit` the reader will make what he wants of plain data; else a body has to be plain data, bytes, or of a
    dataclass or model that stands in a module.
    """
    body = message.body
    try:
        data = packed(body)
        headers = {name: packed(value) for name, value in message.headers.items()}
        kind = "" if _plain(body) else _kind(body, data, fit)
        return to_json([VERSION, message.id, born, data, headers, kind], inf_nan_mode="constants").decode()
    except (PydanticSerializationError, RecursionError, UnicodeError) as error:
        raise _unkept(body, f"{error}") from error


def read(text: str) -> Written:
    """What `written` has made; raises BodyError if the class of its body is gone or has changed.

    Raises StoreError for a text that this release cannot read.
    """
    try:
        version, known_as, born, data, headers, kind = from_json(text)
    except ValueError as error:
        raise StoreError(f"what was kept is no message: {error}") from error
    if version != VERSION:
        raise StoreError(f"a message was kept in form {version}, this release reads form {VERSION}")
    message = Message(_body(data, kind), {name: unpacked(value) for name, value in headers.items()}, known_as)
    return Written(message, born)


def result_text(reply: Message[Any] | None) -> str:
    """What an endpoint has answered, as text; raises BodyError for one that would not come back."""
    return "" if reply is None else written(reply, 0.0)


def result_read(text: str) -> Message[Any] | None:
    """What `result_text` has made; raises BodyError for what `unkept_text` has."""
    if text.startswith(_UNKEPT):
        raise BodyError(text.removeprefix(_UNKEPT))
    return read(text).message if text else None


def unkept_text(error: BodyError) -> str:
    """What stands for an answer that cannot be kept."""
    return f"{_UNKEPT}{error}"


def _body(data: Any, kind: str) -> Any:
    if not kind:
        return unpacked(data)
    found = kind_named(kind)
    if found is None:
        raise BodyError(f"a body of {kind} was kept, which is no class any more")
    try:
        return TypeAdapter(found).validate_python(data)
    except ValueError as error:
        raise BodyError(f"a body of {kind} was kept, which does not fit that class any more: {error}") from error


def _kind(body: object, data: Any, fit: Callable[[Any], Any] | None) -> str:
    """The class that has to be known to read it; empty where the reader knows it."""
    if fit is not None:
        try:
            fit(unpacked(data))
        except BodyError as error:
            raise _unkept(body, str(error)) from error
        return ""
    kind = kind_of(body)
    if kind_named(kind) is not type(body):
        raise _unkept(body, "it is no plain data, and of no dataclass or model in a module")
    return kind


def _unkept(body: object, reason: str) -> BodyError:
    found = f"a body of type {type(body).__name__} cannot be kept: {reason}"
    return BodyError(found, hint="give the route the type of its bodies: from_(uri, Order)")


def _plain(body: object) -> bool:
    """Whether it comes back from JSON as it is."""
    if type(body) in _LEAVES or type(body) is bytes:
        return True
    return _data(body) and not (isinstance(body, dict) and list(cast("dict[Any, Any]", body)) == ["base64"])


def _data(value: object) -> bool:
    kind = type(value)
    if kind in _LEAVES:
        return True
    if kind is dict:
        items = cast("dict[Any, Any]", value).items()
        return all(type(name) is str and _data(inner) for name, inner in items)
    return kind is list and all(_data(inner) for inner in cast("list[Any]", value))
