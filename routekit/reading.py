"""Reading the parts of a message, lazily, for workers that ask for one after the other."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import Any, Generic, TypeAlias, TypeVar

import anyio

from .errors import BodyError
from .message import Message, Sequence

P = TypeVar("P")

Part: TypeAlias = tuple[Message[Any], Any, Exception | None]
"""A part, its body as it was read, and what is already known to be wrong with it."""


class PartsOf(Generic[P]):
    """A way of taking a message apart that is a value, not a function; each part's body is a `P`."""


class Source:
    """Gives the parts one by one to workers; None at the end."""

    fresh = False
    """Whether nobody else has the bodies of the parts, so that they need not be copied."""

    size: int | None = None
    """How many parts there are, if that is known before the last is read."""

    async def pull(self) -> Part | None:
        raise NotImplementedError

    @property
    def opened(self) -> bool:
        """Whether there is anything to close."""
        return False

    async def close(self) -> None:
        """Let go of what was opened."""


class closing:  # noqa: N801 - reads as contextlib's own
    """Close the source whatever happens."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __aenter__(self) -> Source:
        return self._source

    async def __aexit__(self, *_: object) -> None:
        if self._source.opened:
            with anyio.CancelScope(shield=True):
                await self._source.close()


class Items(Source):
    """Parts from any iterable, or asynchronous iterable, that the author's function gave."""

    def __init__(self, items: Any, message: Message[Any]) -> None:
        self._message = message
        self._index = 0
        self._sync: Iterator[Any] | None = None
        self._async: AsyncIterator[Any] | None = None
        self.size = len(items) if isinstance(items, Sized) else None
        if isinstance(items, AsyncIterable):
            self._lock = anyio.Lock()
            self._async = aiter(items)  # pyright: ignore[reportUnknownArgumentType]  # the author's type is checked in `flow`
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
        return part, item, None

    async def _next(self) -> Any:
        if self._sync is not None:
            try:
                return next(self._sync)
            except StopIteration:
                raise StopAsyncIteration from None  # a coroutine cannot raise StopIteration
        assert self._async is not None
        async with self._lock:
            return await anext(self._async)

    @property
    def opened(self) -> bool:
        return self._async is not None

    async def close(self) -> None:
        if self._async is not None and hasattr(self._async, "aclose"):
            await self._async.aclose()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]  # an async generator has it, an iterator need not


class Sequenced(Source):
    """The parts of another source, each of which knows where it stands; so one part is read ahead."""

    def __init__(self, source: Source) -> None:
        self.fresh = source.fresh
        self._source = source
        self._ahead: Part | None = None
        self._index = -1
        self._broken: Exception | None = None
        self._lock = anyio.Lock(fast_acquire=True)  # a part that is there costs no turn of the loop

    async def pull(self) -> Part | None:
        async with self._lock:
            if self._index < 0:
                await self._read()
            if self._broken is not None:
                raise self._broken
            if self._ahead is None:
                return None
            message, original, error = self._ahead
            index, last = self._index, await self._read()
            sequence = Sequence(index, last, index + 1 if last else self._source.size)
            return message.with_meta(message.meta.changed(sequence=sequence)), original, error

    async def _read(self) -> bool:
        """Whether there is no next part; what breaks is kept until the part before it is given away."""
        self._index += 1
        self._ahead = None
        try:
            self._ahead = await self._source.pull()
        except Exception as error:  # whatever the author's function raises
            self._broken = error
        return self._ahead is None and self._broken is None

    @property
    def opened(self) -> bool:
        return self._source.opened

    async def close(self) -> None:
        await self._source.close()
