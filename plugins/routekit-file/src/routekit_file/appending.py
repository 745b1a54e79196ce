"""Appending: many messages that wait for the same file are written and synced together."""

import fcntl
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from routekit import BodyError, Codec

from .content import plain, unreadable

_MOST = 10_000
"""The bodies of one write."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A body that waits to be appended, then whether it is, or the error."""

    body: Any
    codec: Codec | None
    settled: bool = False
    error: Exception | None = None


class Appender:
    """Appends to one file: whoever comes first writes for all that wait.

    `write` blocks; it settles each of those that it is given.
    """

    def __init__(self, write: Callable[[Sequence[Waiting]], None], limiter: anyio.CapacityLimiter) -> None:
        self.users = 0
        self._write = write
        self._limiter = limiter
        self._lock = anyio.Lock()
        self._waiting: list[Waiting] = []

    async def append(self, body: Any, codec: Codec | None) -> None:
        """Return when the body is in the file, and on disk if the sink syncs. Raises what the writing raised."""
        mine = Waiting(body, codec)
        self._waiting.append(mine)
        try:
            async with self._lock:
                while not mine.settled:
                    await self._commit()
        finally:
            if mine in self._waiting:  # cancelled before anybody wrote it
                self._waiting.remove(mine)
        if mine.error is not None:
            raise mine.error

    async def _commit(self) -> None:
        group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        with anyio.CancelScope(shield=True):  # the others of the group wait for it as well
            try:
                await anyio.to_thread.run_sync(self._write, group, limiter=self._limiter)
            except Exception as error:  # whatever it is, each of them is told
                for one in group:
                    one.error = one.error or error
        for one in group:
            one.settled = True


def append_all(folder: int, name: str, group: Sequence[Waiting], *, sync: bool, mode: int | None) -> None:
    """Append the bodies of a group to a file in an open folder; blocks.

    A file that is made gets `mode`. A body that cannot be encoded gets its error, and the others are written. When the
    disk is full, the file is as it was before, and OSError is raised. The lock of the kernel keeps other processes away
    meanwhile.
    """
    with _locked(folder, name) as file:
        size = os.fstat(file).st_size
        if mode is not None and not size:
            os.fchmod(file, mode)
        try:
            for piece in _pieces(file, size, group):
                _write(file, piece)
            if sync:
                os.fsync(file)
        except OSError:
            os.ftruncate(file, size)  # never half a record
            raise
    if sync and size == 0:
        os.fsync(folder)


@contextmanager
def _locked(folder: int, name: str) -> Generator[int]:
    """A descriptor of the file that nobody else appends to, made if there is none; one moved away is let go."""
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(name, flags, 0o666, dir_fd=folder)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(folder, name, file):
                yield file
                return
        finally:
            os.close(file)


def _is_at(folder: int, name: str, file: int) -> bool:
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return there.st_ino == os.fstat(file).st_ino


def _pieces(file: int, size: int, group: Sequence[Waiting]) -> Iterator[bytes | Path]:
    """What is written, in order; bodies with the same codec in one piece, since that is faster."""
    empty = size == 0
    torn = not empty and os.pread(file, 1, size - 1) != b"\n"
    for codec, run in groupby(group, key=lambda one: one.codec):
        bodies = list(run)
        pieces = _plain(bodies) if codec is None else _lines(codec, bodies, first=empty)
        for piece in pieces:
            if torn and codec is not None and isinstance(piece, bytes) and piece.endswith(b"\n"):
                yield b"\n"  # a process died in the middle of a line: the next one stands alone
            torn = False
            yield piece
            empty = os.fstat(file).st_size == 0


def _plain(run: list[Waiting]) -> Iterator[bytes | Path]:
    for one in run:
        try:
            content = plain(one.body)
            if isinstance(content, Path):
                content.open("rb").close()
        except BodyError as error:
            one.error = error
        except OSError as error:
            one.error = unreadable(one.body, error)
        else:
            yield content


def _lines(codec: Codec, run: list[Waiting], *, first: bool) -> Iterator[bytes]:
    try:
        yield codec.lines([one.body for one in run], first=first)
    except BodyError as error:
        if len(run) == 1:
            run[0].error = error
            return
        for one in run:  # one of them is wrong: find out which
            for piece in _lines(codec, [one], first=first):
                first = False
                yield piece


def _write(file: int, piece: bytes | Path) -> None:
    if isinstance(piece, Path):
        with piece.open("rb") as original:
            while block := original.read(1 << 20):
                _write(file, block)
        return
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(file, rest) :]
