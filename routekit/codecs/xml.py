"""XML: one document, whose elements at a path are a stream of records."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Annotated, Any, BinaryIO, ClassVar
from xml.sax.saxutils import quoteattr

from pydantic import BeforeValidator, Field, field_validator

from ..codec import Codec, Record
from ..errors import BodyError
from ..hookspecs import hookimpl
from ..units import Bytes
from ._elements import Elements, Match, Shape, is_root, matching
from ._markup import Markup, is_name
from ._table import as_rows

_MANY, _ONE = "records", "record"


def _split(names: object) -> object:
    return frozenset(name.strip() for name in names.split(",")) if isinstance(names, str) else names


class Xml(Codec):
    """Reads and writes XML documents; an element is a dict of its elements and attributes, or its text.

    Names lose their namespace. Elements of one name are a list, all values are text. Documents with entities are
    refused, nothing is fetched.
    """

    name: ClassVar[str] = "xml"
    suffixes: ClassVar[tuple[str, ...]] = (".xml",)

    path: str = Field(
        default="",
        description="the records: `order` wherever it is, `orders/order` in such, `/feed/order` from the root; unset: "
        "the elements in the root",
    )
    attributes: str = Field(
        default="@", description="what stands before the names of attributes; empty: they are fields like any other"
    )
    lists: Annotated[frozenset[str], BeforeValidator(_split)] = Field(
        default=frozenset(), description="elements that are lists even if there is only one, comma separated"
    )
    namespace: str = Field(default="", description="the namespace of what is written")
    max_record: Bytes = Field(default=16 << 20, gt=0, description="a longer record is an error")

    @field_validator("path")
    @classmethod
    def _of_names(cls, path: str) -> str:
        wrong = next((part for part in path.removeprefix("/").split("/") if not is_name(part)), None)
        if path and wrong is not None:
            raise ValueError(f"'{wrong}' is no name of an element: write order, orders/order or /feed/order")
        return path

    def decode(self, data: bytes) -> Any:
        """What is in the root, or, with a path, the list of its elements; raises BodyError."""
        if not self.path:
            [record] = self._read(BytesIO(data), is_root)
            return _sound(record)
        return [_sound(record) for record in self.records(BytesIO(data))]

    def encode(self, body: Any) -> bytes:
        """A list or other iterable as elements inside a root, anything else as one; the path says their names.

        None is left out, times are ISO 8601, a list is an element for each.
        """
        *outer, name = [part for part in self.path.split("/") if part] or [_ONE]
        rows = as_rows(body)
        if rows is body:
            outer = outer or [_MANY]
        markup = Markup(self.attributes)
        elements = ["".join(markup.element(name, row)) for row in rows]
        root = (outer or [name])[0]
        text = "\n".join([*(f"<{each}>" for each in outer), *elements, *(f"</{each}>" for each in reversed(outer))])
        if self.namespace:
            text = text.replace(f"<{root}", f"<{root} xmlns={quoteattr(self.namespace)}", 1)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """Element by element; one that is too long or too deep is a record with `error`.

        Raises BodyError where the document is broken: what follows cannot be told apart from it.
        """
        return self._read(stream, matching(self.path))

    def _read(self, stream: BinaryIO, match: Match) -> Iterator[Record]:
        return Elements(match, Shape(self.attributes, self.lists, self.max_record)).read(stream)


def _sound(record: Record) -> Any:
    if record.error is not None:
        raise BodyError(record.error, row=record.number)
    return record.body


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Xml]
