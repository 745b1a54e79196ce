"""gzip: one document, compressed."""

import gzip
import zlib
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from ..codec import Codec
from ..hookspecs import hookimpl
from ._packed import Packed
from ._unpacking import Machine


class Gzip(Packed):
    """Reads and writes gzip (RFC 1952), with another codec inside: its records are those of what is compressed."""

    name: ClassVar[str] = "gzip"
    suffixes: ClassVar[tuple[str, ...]] = (".gz",)

    level: int = Field(default=6, ge=0, le=9, description="how hard to compress: 1 is fast, 9 small")

    def machine(self) -> Machine:
        """One that checks length and checksum."""
        return _Member()

    def packed(self, data: bytes) -> bytes:
        """Without a time: the same data gives the same bytes."""
        return gzip.compress(data, self.level, mtime=0)


class _Member:
    """zlib's decompressor, as those of bz2 and lzma are."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        found = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self._full = len(found) == max_length  # more may wait inside
        return found


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Gzip]
