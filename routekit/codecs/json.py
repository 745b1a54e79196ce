"""JSON: one document, whose array is a stream of records."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, ClassVar

from pydantic import Field

from ..codec import Codec, Record
from ..hookspecs import hookimpl
from ..units import Bytes
from ._jsonarray import elements
from ._jsontext import parsed, written


class Json(Codec):
    """Reads and writes one JSON document (RFC 8259) in UTF-8.

    The records of an array are its elements; any other document is one record.
    """

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    indent: int | None = Field(default=None, ge=0, le=16, description="spaces to indent by; unset: one line")
    max_record: Bytes = Field(default=64 << 20, gt=0, description="an array's element much longer than this is broken")

    def decode(self, data: bytes) -> Any:
        """The document as dicts, lists, texts, numbers, booleans and None."""
        return parsed(data)

    def encode(self, body: Any) -> bytes:
        """A model, dataclass or plain data as a document."""
        return written(body, indent=self.indent)

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """The elements of an array, read lazily, or the one document; raises BodyError where the text is broken.

        What follows a broken element cannot be told apart from it, so the records end there.
        """
        for number, element in enumerate(elements(stream, self.max_record), 1):
            yield Record(number, element)

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        """One document for each body, each on its own line."""
        return b"".join(written(body) + b"\n" for body in bodies)


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Json]
