"""Files and documents for routes that read records out of their bodies: written by the codec that will read them."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from random import Random
from typing import Any, cast

from pydantic import BaseModel

from ..codec import Codec
from ..errors import BodyError, DefinitionError
from ..plugins import Catalog
from ..records import Batches, Records
from ..route import Route
from ..step import Chain, CodecChoice
from .bodies import Bodies

_ROWS = 4
"""Records in each."""


class Documents:
    """Bodies of a route that takes documents apart: paths, bytes or texts that hold records of its type."""

    def __init__(self, route: Route, kind: Any, codec: Codec, folder: Path) -> None:
        self._route = route
        self._rows = Bodies(kind)
        self._codec = codec
        self._folder = folder

    @classmethod
    def of(cls, route: Route, catalog: Catalog, folder: Path) -> "Documents | None":
        """For such a route; None for another one."""
        body = route.body
        wanted = body in (bytes, str) or (isinstance(body, type) and issubclass(cast("type[Any]", body), PurePath))
        records = next(iter(_records(route.chain)), None) if wanted else None
        if records is None or records.codec is None:
            return None
        try:
            return cls(route, records.type, catalog.codec(cast("CodecChoice", records.codec)), folder)
        except DefinitionError:
            return None

    def make(self, number: int, random: Random) -> Any:
        """The document of message `number`, counted from 1."""
        rows = [self._rows.make(number * 10 + row, random) for row in range(_ROWS)]
        try:
            content = self._codec.encode(_by_alias(rows))
        except BodyError:  # a codec that writes no such rows
            content = b""
        if self._route.body is bytes:
            return content
        if self._route.body is str:
            return content.decode(errors="replace")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._route.name}-{number}"
        path.write_bytes(content)
        return path


def _by_alias(rows: Sequence[Any]) -> list[Any]:
    """Rows under the names by which they are read."""
    return [_named(row) for row in rows]


def _named(row: Any) -> Any:
    if not isinstance(row, BaseModel):
        return row
    data = row.model_dump(mode="json")
    return {field.validation_alias or name: _cell(data[name]) for name, field in type(row).model_fields.items()}


def _cell(value: Any) -> Any:
    return "" if value is None else value


def _records(chain: Chain) -> Iterator[Any]:
    for step in chain.steps:
        parts = getattr(getattr(step, "how", None), "parts", None)
        if isinstance(parts, Records | Batches):
            yield cast("Any", parts)
