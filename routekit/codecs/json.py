"""JSON: one document, whose array is a stream of records."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, ClassVar, cast

from pydantic import Field

from ..codec import Codec, Record
from ..hookspecs import hookimpl
from ._jsontext import parsed, written


class Json(Codec):
    """Reads and writes one JSON document (RFC 8259) in UTF-8.

    The records of an array are its elements; any other document is one record.
    """

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    content_type: ClassVar[str] = "application/json"

    indent: int | None = Field(default=None, ge=0, le=16, description="spaces to indent by; unset: one line")

    def decode(self, data: bytes) -> Any:
        """The document as dicts, lists, texts, numbers, booleans and None."""
        return parsed(data)

    def encode(self, body: Any) -> bytes:
        """A model, dataclass or plain data as a document."""
        return written(body, indent=self.indent)

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """The elements of an array, or the one document."""
        document = parsed(stream.read())
        elements = cast("list[Any]", document) if isinstance(document, list) else [document]
        for number, element in enumerate(elements, 1):
            yield Record(number, element)

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        """One document for each body, each on its own line."""
        return b"".join(written(body) + b"\n" for body in bodies)


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Json]
