"""Bodies as plain data: dicts, lists and values, whatever class they are of."""

from collections.abc import Mapping, Set
from dataclasses import is_dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticSerializationError, from_json, to_jsonable_python

from .errors import BodyError

_ATOMS = frozenset({str, int, float, bool, type(None)})


def plain(body: object) -> Any:
    """Models and dataclasses as dicts by field name, with all that is in them; values stay what they are.

    >>> plain({"when": date(2026, 1, 2)})
    {'when': datetime.date(2026, 1, 2)}
    """
    if isinstance(body, BaseModel):
        return body.model_dump(warnings=False)
    if is_dataclass(body) and not isinstance(body, type):
        return _adapter(type(body)).dump_python(body, warnings=False)
    if isinstance(body, Mapping):
        return {name: plain(value) for name, value in cast("Mapping[Any, Any]", body).items()}
    if isinstance(body, list | tuple):
        return [plain(value) for value in cast("list[Any]", body)]
    return body


def as_json(body: object) -> Any:
    """A body as the data of its JSON text, decimals as numbers; bytes and text are read as JSON.

    >>> as_json(b'{"a": 1}'), as_json({"price": Decimal("9.50")})
    ({'a': 1}, {'price': 9.5})
    """
    if isinstance(body, bytes | bytearray | str):
        try:
            return from_json(body)
        except ValueError as error:
            raise BodyError(f"this is not JSON: {error}") from None
    return _jsonable(plain(body))


def _jsonable(value: Any) -> Any:
    kind = cast("type[Any]", type(value))
    if kind in _ATOMS:
        return value
    if isinstance(value, Mapping):
        return {_name(name): _jsonable(item) for name, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple | Set):
        return [_jsonable(item) for item in cast("list[Any]", value)]
    if kind is Decimal:  # a text would compare with no number, and the difference would not be seen
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise BodyError(f"a {kind.__name__} is no JSON: {error}") from None


def _name(name: object) -> str:
    return name if isinstance(name, str) else str(to_jsonable_python(name))


@lru_cache(maxsize=1024)
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
