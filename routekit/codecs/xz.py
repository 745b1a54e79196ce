"""xz: one document, compressed."""

import lzma
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from ..codec import Codec
from ..hookspecs import hookimpl
from ._packed import Packed
from ._unpacking import Machine

_MEMORY = 256 << 20
"""The bytes that unpacking may take: the file says what it needs, and it may say 4 GB."""


class Xz(Packed):
    """Reads and writes xz, with another codec inside: its records are those of what is compressed."""

    name: ClassVar[str] = "xz"
    suffixes: ClassVar[tuple[str, ...]] = (".xz", ".lzma")

    level: int = Field(default=6, ge=0, le=9, description="how hard to compress: 0 is fast, 9 small")

    def machine(self) -> Machine:
        """That of the standard library, with a bound on its memory."""
        return lzma.LZMADecompressor(memlimit=_MEMORY)

    def packed(self, data: bytes) -> bytes:
        """The same data gives the same bytes."""
        return lzma.compress(data, preset=self.level)


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Xz]
