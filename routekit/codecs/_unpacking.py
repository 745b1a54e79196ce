"""Unpacking: a compressed stream as a stream of what is in it, lazily and within limits."""

import io
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from ..errors import BodyError

_BLOCK = 1 << 16
_FREE = 1 << 20
"""Bytes that may come out before the ratio is judged: short runs compress well."""


class Machine(Protocol):
    """What unpacks one member, as the standard library has it for bz2 and lzma."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What may come out: so many bytes, and so many times the bytes that went in."""

    most: int
    ratio: int

    def check(self, came: int, went: int) -> None:
        """Raise BodyError when more came out than may."""
        if came > self.most:
            raise BodyError(f"it unpacks to more than max_bytes={self.most:,}", hint="raise it if this is no bomb")
        if came > went * self.ratio + _FREE:
            found = f"it unpacks to more than max_ratio={self.ratio} times its size"
            raise BodyError(found, hint="raise it if this is no bomb")


class Unpacked(io.RawIOBase):
    """Reads what is in a compressed stream of one or more members; raises BodyError where it is broken.

    The compressed stream stays open; nothing of it is read before it is needed.
    """

    def __init__(self, stream: BinaryIO, machine: Callable[[], Machine], kind: str, limits: Limits) -> None:
        self._stream = stream
        self._new = machine
        self._machine = machine()
        self._kind = kind
        self._limits = limits
        self._fed = b""
        self._went = 0
        self._came = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """The next bytes, as many as there are and fit."""
        with memoryview(buffer) as view, view.cast("B") as room:
            data = self._some(len(room))
            room[: len(data)] = data
        return len(data)

    def _some(self, most: int) -> bytes:
        while not self._machine.eof or self._next_member():
            if self._machine.needs_input and not self._fed:
                self._fed = self._read()
                if not self._fed:
                    raise BodyError(f"the {self._kind} data ends in the middle", hint="was it copied whole?")
            data = self._unpack(most)
            if data:
                self._came += len(data)
                self._limits.check(self._came, self._went)
                return data
        return b""

    def _unpack(self, most: int) -> bytes:
        fed, self._fed = self._fed, b""
        try:
            return self._machine.decompress(fed, most)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            where = f"broken after {self._came:,} bytes" if self._came else f"not {self._kind}"
            raise BodyError(f"the data is {where}: {error}", hint="was it copied whole?") from None

    def _next_member(self) -> bool:
        """Whether something follows the member that ended, other than zeros that fill it up."""
        rest = self._machine.unused_data.lstrip(b"\0")
        while not rest:
            block = self._read()
            if not block:
                return False
            rest = block.lstrip(b"\0")
        self._machine, self._fed = self._new(), rest
        return True

    def _read(self) -> bytes:
        data = self._stream.read(_BLOCK)
        self._went += len(data)
        return data
