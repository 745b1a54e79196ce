"""Reading the parts of a message, lazily, for workers that ask for one after the other."""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar, cast

import anyio
import anyio.to_thread

from .callables import calling
from .codec import Codec, Record
from .errors import BodyError, DefinitionError, Unavailable
from .fitting import Fit, fitting
from .message import Message
from .step import CodecChoice, Runtime

T = TypeVar("T")

Part: TypeAlias = tuple[Message[Any], Exception | None]
"""A part, and what is already known to be wrong with it."""


@dataclass(frozen=True)
class Records(Generic[T]):
    """The records of a file or document as parts: `split(Records(Lead, codec="csv"))`.

    The body may be a `pathlib.Path`, bytes or text. Without a codec, the suffix of the path decides. Each part has the
    header `row`, counted from 1. A record that cannot be read or does not fit the type is a failed part that names
    row, column and reason; the records after it go on.
    """

    type: type[T]
    codec: CodecChoice | None = None
    batch: int = 1000


class Source:
    """Gives the parts one by one to workers; None at the end."""

    async def pull(self) -> Part | None:
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what was opened."""


class closing:  # noqa: N801 - reads as contextlib's own
    """Close the source whatever happens."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __aenter__(self) -> Source:
        return self._source

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self._source.close()


def opening(parts: Any, runtime: Runtime) -> Callable[[Message[Any]], Source]:
    if isinstance(parts, Records):
        records = cast("Records[Any]", parts)
        chosen = None if records.codec is None else runtime.codec(records.codec)
        fit = fitting(records.type)
        return lambda message: _RecordReader(records, message, chosen, fit, runtime)
    call = calling(parts)
    return lambda message: _Items(call(message), message)


class _Items(Source):
    """Parts from any iterable, or asynchronous iterable, that the author's function gave."""

    def __init__(self, items: Any, message: Message[Any]) -> None:
        self._message = message
        self._index = 0
        self._lock = anyio.Lock()
        self._sync: Iterator[Any] | None = None
        self._async: AsyncIterator[Any] | None = None
        if isinstance(items, AsyncIterable):
            self._async = aiter(items)  # pyright: ignore[reportUnknownArgumentType, ]  # the author's type is checked in `flow`
        elif isinstance(items, Iterable) and not isinstance(items, str | bytes | bytearray):
            self._sync = iter(items)  # pyright: ignore[reportUnknownArgumentType]  # as above
        else:
            raise BodyError(
                f"a message is split by a function that gives its parts, found {type(items).__name__}",
                hint="return a list or yield the parts",
            )

    async def pull(self) -> Part | None:
        try:
            item = await self._next()
        except (StopIteration, StopAsyncIteration):
            return None
        part = self._message.part(self._index, item)
        self._index += 1
        return part, None

    async def _next(self) -> Any:
        if self._sync is not None:
            try:
                return next(self._sync)
            except StopIteration:
                raise StopAsyncIteration from None  # a coroutine cannot raise StopIteration
        assert self._async is not None
        async with self._lock:
            return await anext(self._async)

    async def close(self) -> None:
        if self._async is not None and hasattr(self._async, "aclose"):
            await self._async.aclose()  # pyright: ignore  # an async generator has it, an iterator need not


class _RecordReader(Source):
    """Parts read by a codec, a batch at a time, in a worker thread."""

    def __init__(
        self, records: Records[Any], message: Message[Any], codec: Codec | None, fit: Fit, runtime: Runtime
    ) -> None:
        self._message = message
        self._batch = records.batch
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
            for record in islice(self._records, self._batch):
                batch.append(record)
        except (BodyError, OSError) as error:
            self._broken = error
        self._exhausted = len(batch) < self._batch
        return batch

    def _part(self, record: Record) -> Part:
        raw = self._message.part(record.number, record.body, {**self._message.headers, "row": record.number})
        if record.error is not None:
            return raw, BodyError(record.error, row=record.number, column=record.column)
        try:
            return raw.with_body(self._fit(record.body)), None
        except BodyError as error:
            return raw, BodyError(error.reason, row=record.number, column=error.column)

    async def close(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()


def _suffix(body: Any) -> str:
    if isinstance(body, Path) and body.suffix:
        return body.suffix
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
