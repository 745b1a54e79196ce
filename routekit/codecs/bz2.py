"""bzip2: one document, compressed."""

import bz2
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from ..codec import Codec
from ..hookspecs import hookimpl
from ._packed import Packed
from ._unpacking import Machine


class Bzip2(Packed):
    """Reads and writes bzip2, with another codec inside: its records are those of what is compressed."""

    name: ClassVar[str] = "bz2"
    suffixes: ClassVar[tuple[str, ...]] = (".bz2",)

    level: int = Field(default=9, ge=1, le=9, description="how hard to compress: 1 is fast, 9 small")

    def machine(self) -> Machine:
        """That of the standard library."""
        return bz2.BZ2Decompressor()

    def packed(self, data: bytes) -> bytes:
        """The same data gives the same bytes."""
        return bz2.compress(data, self.level)


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Bzip2]
