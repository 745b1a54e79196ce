"""A body as rows: a mapping, pydantic model or dataclass is one row, a list of them is many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel

from routekit import BodyError

Row: TypeAlias = Mapping[str, Any]

_DICTS: Final[set[type]] = {dict}


class Rows:
    """Reads bodies; how a class of bodies is read is found out once."""

    def __init__(self) -> None:
        self._readers: dict[type, Callable[[Any], Row]] = {}

    def of(self, body: Any) -> Sequence[Row]:
        """The rows of a body; raises BodyError for one that has none."""
        if type(body) in (list, tuple):  # by identity: a named tuple is one row
            return body if set(map(type, body)) == _DICTS else [self.one(part) for part in body]
        return (self.one(body),)

    def one(self, body: Any) -> Row:
        """One row; raises BodyError if the body is none."""
        if type(body) is dict:
            return cast("Row", body)
        kind: type = type(body)  # pyright: ignore[reportUnknownVariableType]  # of any class
        reader = self._readers.get(kind)
        if reader is None:
            reader = self._readers[kind] = _reader(body)
        return reader(body)


def _reader(body: Any) -> Callable[[Any], Row]:
    if isinstance(body, BaseModel):
        return type(body).model_dump
    if isinstance(body, Mapping):
        return lambda mapping: mapping
    if hasattr(body, "_asdict"):  # a named tuple, such as a row of SQLAlchemy
        return lambda row: row._asdict()
    if is_dataclass(body) and not isinstance(body, type):
        names = [field.name for field in fields(body)]
        return lambda row: {name: getattr(row, name) for name in names}
    raise BodyError(
        f"the body is a {type(body).__name__}",
        hint="the sink takes a mapping, a pydantic model, a dataclass, or a list of them",
    )
