"""Parse at the edge: what comes in is checked, or parsed, into the type that the author asked for."""

from collections.abc import Callable
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from .codec import Codec
from .errors import BodyError, DefinitionError
from .plain import plain
from .sensitive import found_at, scrubbed

Fit = Callable[[Any], Any]
"""A raw body in, a body of the wanted type out; raises BodyError."""


def fitting(kind: Any, codec: Codec | None = None) -> Fit:
    """How a raw body becomes a `kind`.

    A body that is one already passes as it is. Bytes and text are decoded by `codec`, or, when none is given and
    something structured is wanted, read as JSON. Plain data is checked by pydantic, which converts what can be
    converted without loss ("12" to 12). A body of the same class, as it was before its module was loaded anew, is read
    once more.
    """
    check = checking(kind)

    def fit(body: Any) -> Any:
        if type(body) is kind:
            return body
        if codec is not None and isinstance(body, bytes | bytearray | str):
            body = codec.decode(body.encode() if isinstance(body, str) else bytes(body))
        try:
            return check(body)
        except ValidationError as error:
            if not _is_earlier(body, kind):
                raise misfit(error, kind) from None
        try:
            return check(plain(body))
        except ValidationError as error:
            raise misfit(error, kind) from None

    return fit


def _is_earlier(body: object, kind: Any) -> bool:
    """Whether it is of a class that `kind` was before its module was loaded anew: it waited in memory meanwhile."""
    earlier = type(body)
    return isinstance(kind, type) and (earlier.__module__, earlier.__qualname__) == (kind.__module__, kind.__qualname__)


def checking(kind: Any) -> Fit:
    """How data is checked into a `kind`; raises pydantic's ValidationError."""
    adapter, texty = _adapter(kind), _texty(kind)
    if kind in (str, bytes, Any, object):
        return adapter.validate_python

    def check(body: Any) -> Any:
        if not isinstance(body, bytes | bytearray | str):
            return adapter.validate_python(body)
        return adapter.validate_python(_text(body)) if texty else adapter.validate_json(body)

    return check


def _texty(kind: Any) -> bool:
    """Whether a text may be meant as such a value itself: a number, a date, a path, rather than as JSON."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return any(_texty(arm) for arm in get_args(kind) if arm is not NoneType)
    if origin is Literal or not isinstance(kind, type):
        return origin is Literal
    plain = kind.__module__ in ("builtins", "datetime", "decimal", "pathlib", "uuid") or issubclass(kind, Enum)
    return plain and kind not in (dict, list, set, tuple, frozenset)


def _text(body: bytes | bytearray | str) -> object:
    """As text where it is one: numbers and paths are not read from bytes."""
    if isinstance(body, str):
        return body
    try:
        return body.decode()
    except UnicodeDecodeError:
        return bytes(body)  # pydantic says what is wrong


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if not _is_type(kind):
        raise DefinitionError(f"bodies cannot be checked into {kind!r}", hint="give a type, such as Order")
    try:
        adapter = TypeAdapter[Any](kind)
    except PydanticSchemaGenerationError:  # a class that pydantic does not know: an instance of it will do
        return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError as error:
        raise DefinitionError(f"bodies cannot be checked into {kind!r}: {error.message}", hint="see the type") from None
    if not adapter.pydantic_complete:
        found = f"bodies cannot be checked into {kind!r}, which is not defined"
        raise DefinitionError(found, hint="give the type itself, not its name")
    return adapter


def _is_type(kind: object) -> bool:
    """Whether it may be a type at all: not a number, a list, or a function."""
    if kind is None or isinstance(kind, type | str):
        return kind != ""
    return type(kind).__module__ != "builtins"


def misfit(error: ValidationError, kind: Any = None) -> BodyError:
    """What pydantic found as a BodyError; all columns are named at once. `kind` is what was wanted, for its marks."""
    found = faults(error, kind)
    if len(found) == 1:
        return BodyError(found[0][1], column=found[0][0] or None)
    columns = ", ".join(column for column, _ in found if column)
    reason = "; ".join(f"{column}: {text}" if column else text for column, text in found)
    return BodyError(reason, column=columns or None, faults=found)


def faults(error: ValidationError, kind: Any = None) -> list[tuple[str, str]]:
    """Each thing that pydantic found: the path of the field, such as `lines.0.sku`, and what is wrong there.

    Values that are sensitive, by the marks of the type `kind` or by the names of their fields, are masked.
    """
    found: list[tuple[str, str]] = []
    for problem in error.errors(include_url=False, include_context=False):
        column = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        shown, secrets = found_at(kind, problem["loc"], problem.get("input"))
        value = "" if problem["type"] == "missing" else f", found {_short(scrubbed(repr(shown), secrets))}"
        text = scrubbed(f"{text[:1].lower()}{text[1:]}", secrets)
        found.append((column, f"{text}{value}"))
    return found


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
