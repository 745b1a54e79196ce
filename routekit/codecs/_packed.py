"""What the codecs that compress have in common: another codec inside, and limits against bombs."""

import io
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, cast

from pydantic import Field, InstanceOf

from ..about import About
from ..codec import Codec, Record
from ..errors import BodyError
from ..units import Bytes
from ._unpacking import Limits, Machine, Unpacked

MAX_BYTES = 1 << 30
MAX_RATIO = 200


class Packed(Codec):
    """Compresses what another codec writes."""

    about: ClassVar[About] = About(raises={BodyError: "what is broken, cut, or unpacks to more than it may"})

    of_bytes: ClassVar[bool] = True

    inner: InstanceOf[Codec] | None = Field(
        default=None, description="the codec of what is inside; unset: bytes, or what the suffixes say: `.csv.gz`"
    )
    max_bytes: Bytes = Field(default=MAX_BYTES, gt=0, description="what unpacks to more is refused")
    max_document: Bytes = Field(
        default=64 << 20, gt=0, description="where it is read whole, or without a codec inside: a larger one is refused"
    )
    max_ratio: int = Field(
        default=MAX_RATIO, gt=0, description="what unpacks to more than so many times its size is refused"
    )

    @property
    def suffix(self) -> str:
        """That of what is inside, and its own."""
        return ("" if self.inner is None else self.inner.suffix) + super().suffix

    @property
    def ahead(self) -> int:
        """As what is inside."""
        return 1 if self.inner is None else self.inner.ahead

    @abstractmethod
    def machine(self) -> Machine:
        """What unpacks one member."""

    @abstractmethod
    def packed(self, data: bytes) -> bytes:
        """The same data compressed, always to the same bytes."""

    def decode(self, data: bytes) -> Any:
        """The document inside, decoded."""
        whole = self._whole(io.BytesIO(data))
        return whole if self.inner is None else self.inner.decode(whole)

    def encode(self, body: Any) -> bytes:
        """A body, encoded by the codec inside, or bytes or text, compressed."""
        return self.packed(inside(self.inner, body))

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """The records inside, read lazily; without a codec one of bytes. Raises BodyError where the data is broken."""
        if self.inner is None:
            yield Record(1, self._whole(stream))
        else:
            yield from self.inner.records(self._opened(stream))

    def _whole(self, stream: BinaryIO) -> bytes:
        """All that is inside, which has to fit into memory."""
        whole = self._opened(stream).read(self.max_document + 1)
        if len(whole) > self.max_document:
            hint = "read it as records of a codec inside, bit by bit, or raise it"
            raise BodyError(f"it unpacks to more than max_document={self.max_document:,} bytes", hint=hint)
        return whole

    def _opened(self, stream: BinaryIO) -> BinaryIO:
        limits = Limits(self.max_bytes, self.max_ratio)
        unpacked = Unpacked(stream, self.machine, self.name, limits)
        return cast("BinaryIO", io.BufferedReader(unpacked, 1 << 17))


def inside(codec: Codec | None, body: Any) -> bytes:
    """The bytes that are packed: of a codec, or bytes and text as they are; raises BodyError."""
    if isinstance(body, bytes | bytearray) and (codec is None or not codec.of_bytes):
        return bytes(body)
    if codec is not None:
        return codec.encode(body)
    if isinstance(body, str):
        return body.encode()
    found = f"a {type(body).__name__} cannot be packed: it is neither bytes nor text"
    raise BodyError(found, hint='say how it is written: codec={"name": "gzip", "inner": "json"}')
