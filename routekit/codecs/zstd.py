"""zstd: one document, compressed."""

import sys
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from ..codec import Codec
from ..extras import library
from ..hookspecs import hookimpl
from ._packed import Packed
from ._unpacking import Machine

_WINDOW = 27
"""As a power of two the bytes of the window that unpacking may hold, 128 MB: a file may ask for 2 GB."""


class Zstd(Packed):
    """Reads and writes Zstandard (RFC 8878), with another codec inside: its records are those of what is compressed.

    Needs `routekit-eip[zstd]` below Python 3.14.
    """

    name: ClassVar[str] = "zstd"
    suffixes: ClassVar[tuple[str, ...]] = (".zst",)

    level: int = Field(default=3, ge=1, le=19, description="how hard to compress: 1 is fast, 19 small")

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        _library()
        return self

    def machine(self) -> Machine:
        """That of the standard library, or of its backport, with a bound on its memory."""
        return _Member(_library())

    def packed(self, data: bytes) -> bytes:
        """With a checksum: the same data gives the same bytes."""
        zstd = _library()
        parameter = zstd.CompressionParameter
        return zstd.compress(data, options={parameter.compression_level: self.level, parameter.checksum_flag: 1})


class _Member:
    """The decompressor, whose errors have no relatives."""

    def __init__(self, zstd: Any) -> None:
        self._error: type[Exception] = zstd.ZstdError
        self._zstd = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW})

    @property
    def eof(self) -> bool:
        return self._zstd.eof

    @property
    def needs_input(self) -> bool:
        return self._zstd.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._zstd.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        try:
            return self._zstd.decompress(data, max_length)
        except self._error as error:
            raise ValueError(error) from None


def _library() -> Any:
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return library(module, extra="zstd", asked="the codec zstd")


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Zstd]
