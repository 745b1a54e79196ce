"""Reading: a file as the bodies of one message or of many, a batch at a time, in flat memory."""

import io
import os
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal

from routekit import BodyError, Codec, Record, RouteKitError, Unavailable

from .checksums import Algorithm, mismatch
from .found import Found
from .regular import FLAGS

Read = Literal["whole", "path", "lines", "records"]

BATCH_BYTES = 1 << 20
"""A trip to the worker thread ends after about so many bytes of the file, or as many records as the codec allows."""


class Reading:
    """The bodies of one file, by blocking reads.

    `ended` is true once the last body was given; `broken` is then the reason why the file could not be read to its
    end, if there is one. `bytes_read` counts what was read of the file.
    """

    def __init__(self, records: Generator[Record], stream: "_Counted | None" = None, ahead: int = 1) -> None:
        self.ended = False
        self.broken: Exception | None = None
        self._records = records
        self._stream = stream
        self._ahead = ahead
        self._next: Record | None = None
        self._started = False

    @property
    def bytes_read(self) -> int:
        return 0 if self._stream is None else self._stream.count

    def batch(self) -> deque[Record]:
        """The next bodies; raises Unavailable when the disk cannot be read."""
        batch: deque[Record] = deque()
        if not self._started:
            self._started = True
            self._step()
        start = self.bytes_read
        while self._next is not None:
            batch.append(self._next)
            self._step()
            if len(batch) >= self._ahead or self.bytes_read - start >= BATCH_BYTES:
                break
        self.ended = self._next is None  # known one record ahead: the last one carries the end of the file
        if self.ended:
            self.close()
        return batch

    def _step(self) -> None:
        self._next = None
        try:
            self._next = next(self._records, None)
        except OSError as error:
            self.close()
            raise Unavailable(f"a file cannot be read on: {error}", hint="is the disk in order?") from error
        except Exception as error:  # a codec is a stranger's code: its file fails, the source goes on
            self.broken = error if isinstance(error, RouteKitError) else _unreadable(error)

    def close(self) -> None:
        """Let go of the file."""
        self._records.close()
        if self._stream is not None:
            self._stream.close()


@dataclass(frozen=True)
class Reader:
    """How the files of one source are read.

    `codec` gives the codec of records for a file's suffixes; `whole_codec` decodes bodies that are a whole file;
    `checksum` is what the file's marker states, if anything.
    """

    read: Read
    codec: Callable[[str], Codec]
    whole_codec: Codec | None
    max_bytes: int
    checksum: Algorithm | None

    def open(self, found: Found) -> Reading | None:
        """The reading of a file; None if it is gone or not the one that was found. Blocks."""
        try:
            wrong = None if self.checksum is None else mismatch(found, self.checksum)
        except FileNotFoundError:
            return None
        except OSError as error:
            wrong = BodyError(f"{found.label} cannot be compared with its checksum: {error}", hint="see permissions")
        if wrong is not None:
            return _refused(wrong)
        if self.read == "path":
            return Reading(_one(Record(0, found.path)))
        try:
            stream = _Counted(os.open(found.path, os.O_RDONLY | FLAGS))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            return _refused(BodyError(f"{found.label} cannot be read: {error.strerror}", hint="see its permissions"))
        except OSError as error:
            raise Unavailable(f"{found.path} cannot be read: {error}", hint="is the disk in order?") from error
        if os.fstat(stream.fileno()).st_ino != found.inode:
            stream.close()
            return None
        if self.read == "whole":
            with stream:
                return self._whole(stream, found)
        return self._many(stream, found)

    def _many(self, stream: "_Counted", found: Found) -> Reading:
        try:
            codec = self.codec(_suffix(found))
        except RouteKitError as error:  # no codec for such a suffix
            stream.close()
            return _refused(error)
        return Reading(_records(codec, stream), stream, codec.ahead)

    def _whole(self, stream: "_Counted", found: Found) -> Reading | None:
        if found.size > self.max_bytes:
            reason = f"{found.label} has {found.size:,} bytes, more than max_bytes={self.max_bytes:,}"
            return _refused(BodyError(reason, hint="use read=path, read=records or read=lines, or a larger max_bytes"))
        try:
            data = stream.readall()
        except OSError as error:
            raise Unavailable(f"{found.path} cannot be read: {error}", hint="is the disk in order?") from error
        if len(data) != found.size:  # somebody is writing: it is not the file that was found
            return None
        return Reading(_one(_decoded(data, self.whole_codec)))


class _Counted(io.FileIO):
    """A file that counts the bytes that were read of it."""

    count = 0

    def readinto(self, buffer: Any, /) -> int | None:
        read = super().readinto(buffer)
        self.count += read or 0
        return read


def _one(record: Record) -> Generator[Record]:
    yield record


def _none() -> Generator[Record]:
    yield from ()


def _records(codec: Codec, stream: _Counted) -> Generator[Record]:
    with io.BufferedReader(stream, BATCH_BYTES) as buffered:
        yield from codec.records(buffered)  # called on the first step: whatever it raises is about the file


def _decoded(data: bytes, codec: Codec | None) -> Record:
    if codec is None:
        return Record(0, data)
    try:
        return Record(0, codec.decode(data))
    except BodyError as error:
        return Record(0, data, error.reason, error.column)


def _refused(error: Exception) -> Reading:
    reading = Reading(_none())
    reading.broken = error
    return reading


def _unreadable(error: Exception) -> BodyError:
    refused = BodyError(f"the codec failed: {type(error).__name__}: {error}", hint="see the codec that reads this file")
    refused.__cause__ = error
    return refused


def _suffix(found: Found) -> str:
    return "".join(found.path.suffixes)
