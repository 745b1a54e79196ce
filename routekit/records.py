"""Records and batches: the parts of a file or document that a codec reads."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import anyio
import anyio.to_thread

from .codec import Codec, Record
from .errors import BodyError, DefinitionError, Unavailable
from .fitting import Fit
from .message import Message
from .reading import Part, PartsOf, Source
from .step import CodecChoice, Runtime

T = TypeVar("T")


@dataclass(frozen=True)
class Records(PartsOf[T]):
    """The records of a file or document as parts: `split(Records(Lead, codec="csv"))`.

    The body may be a `pathlib.Path`, bytes or text. Without a codec, the suffixes of the path decide, `.csv.gz`. Each
    part has the header `row`, counted from 1, and those that the codec gives. A record that cannot be read or does not
    fit the type is a failed part that names row, column and reason; the records after it go on.
    """

    type: type[T]
    codec: CodecChoice | None = None


@dataclass(frozen=True)
class Batches(PartsOf[list[T]]):
    """As `Records`, in lists of at most `size`: `for_each(Batches(Lead, size=500), ...)`, for sinks that take lists.

    A record that cannot be read or does not fit is a failed part of its own and in no list. A list succeeds or fails
    as one. The headers `row` and `row.last` are the numbers of its first and last record.
    """

    type: type[T]
    codec: CodecChoice | None = None
    size: int = 500

    def __post_init__(self) -> None:
        if self.size < 1:
            raise DefinitionError(f"the size of a batch is {self.size}", hint="it must be 1 or more")


class RecordReader(Source):
    """Parts read by a codec, many at a time, in a worker thread."""

    fresh = True

    def __init__(self, message: Message[Any], codec: Codec | None, fit: Fit, runtime: Runtime) -> None:
        self._message = message
        self._fit = fit
        self._codec = codec or runtime.codec(_suffix(message.body))
        self._stream: BinaryIO | None = None
        self._records: Iterator[Record] = iter(())
        self._buffer: deque[Record] = deque()
        self._exhausted = False
        self._broken: Exception | None = None
        self._lock = anyio.Lock()

    async def pull(self) -> Part | None:
        if not self._buffer:
            await self._refill()
        return self._part(self._buffer.popleft()) if self._buffer else None

    async def _refill(self) -> None:
        async with self._lock:
            if self._buffer:  # another worker was faster
                return
            if self._broken is not None:
                raise self._broken
            if not self._exhausted:
                self._buffer.extend(await anyio.to_thread.run_sync(self._read))
            if not self._buffer and self._broken is not None:
                raise self._broken

    def _read(self) -> list[Record]:
        """The next batch; an error in the middle is kept until the records before it are done."""
        if self._stream is None:
            self._stream = _opened(self._message.body)
            self._records = self._codec.records(self._stream)
        batch: list[Record] = []
        try:
            for record in islice(self._records, self._codec.ahead):
                batch.append(record)
        except (BodyError, OSError) as error:
            self._broken = error
        self._exhausted = len(batch) < self._codec.ahead
        return batch

    def _part(self, record: Record) -> Part:
        number, raw = record.number, record.body
        headers = {**self._message.headers, "row": number}
        if record.headers is not None:
            headers.update(record.headers)
        if record.error is None:
            try:
                return self._message.part(number, self._fit(raw), headers), raw, None
            except BodyError as misfit:
                error = BodyError(misfit.reason, row=number, column=misfit.column, faults=misfit.faults)
        else:
            error = BodyError(record.error, row=number, column=record.column)
        return self._message.part(number, raw, headers), raw, error

    @property
    def opened(self) -> bool:
        return self._stream is not None

    async def close(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()


class BatchReader(Source):
    """Lists of the parts that another reader gives; those that are refused stay parts of their own."""

    fresh = True

    def __init__(self, records: RecordReader, message: Message[Any], size: int) -> None:
        self._records = records
        self._message = message
        self._size = size
        self._refused: deque[Part] = deque()
        self._lock = anyio.Lock()

    async def pull(self) -> Part | None:
        async with self._lock:
            good: list[Message[Any]] = []
            read: list[Any] = []
            while len(good) < self._size and len(self._refused) < self._size:
                part = await self._records.pull()
                if part is None:
                    break
                message, raw, error = part
                if error is None:
                    good.append(message)
                    read.append(raw)
                else:
                    self._refused.append(part)
            if good:
                return self._together(good), read, None
            return self._refused.popleft() if self._refused else None

    def _together(self, good: list[Message[Any]]) -> Message[Any]:
        first, last = good[0].headers["row"], good[-1].headers["row"]
        headers = {**self._message.headers, "row": first, "row.last": last}
        return self._message.part(first, [message.body for message in good], headers)

    @property
    def opened(self) -> bool:
        return self._records.opened

    async def close(self) -> None:
        await self._records.close()


def _suffix(body: Any) -> str:
    if isinstance(body, Path) and body.suffix:
        return "".join(body.suffixes)
    raise DefinitionError("the records of what? the body has no file suffix", hint='write Records(..., codec="csv")')


def _opened(body: Any) -> BinaryIO:
    if isinstance(body, Path):
        try:
            return body.open("rb")
        except OSError as error:
            raise Unavailable(
                f"cannot read {body}: {error.strerror}", hint="is it still there, and readable?"
            ) from error
    if isinstance(body, bytes | bytearray | str):
        return BytesIO(body.encode() if isinstance(body, str) else bytes(body))
    raise BodyError(
        f"records are read from a Path, bytes or text, found {type(body).__name__}", hint="read=path gives a Path"
    )
