"""Files on their way out and in: read while they are sent, and written under another name until they are whole."""

import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex

import anyio

from routekit import BodyError, Unavailable

CHUNK = 1 << 16


async def size_of(path: Path) -> int:
    """The size of a file; raises BodyError if it is not there."""
    try:
        return (await anyio.Path(path).stat()).st_size
    except OSError as error:
        raise BodyError(f"{path} cannot be read: {error.strerror}") from error


async def read_exactly(path: Path, size: int) -> AsyncIterator[bytes]:
    """So many bytes of a file: one that grows meanwhile must not break what was announced.

    The file is closed before the last bytes are given: who has all of them asks for no more.
    """
    async with await anyio.open_file(path, "rb") as file:
        while size > CHUNK:
            yield (chunk := await _some(file, CHUNK, path))
            size -= len(chunk)
        last: list[bytes] = []
        while size:
            last.append(await _some(file, size, path))
            size -= len(last[-1])
    for chunk in last:
        yield chunk


async def _some(file: anyio.AsyncFile[bytes], most: int, path: Path) -> bytes:
    chunk = await file.read(most)
    if not chunk:
        raise BodyError(f"{path} became shorter while it was sent")
    return chunk


async def save(chunks: AsyncIterable[bytes], path: Path) -> None:
    """Write a file, which has its name once it is whole and on disk; raises Unavailable if that fails."""
    try:
        async with _named_at_the_end(path) as half, await anyio.open_file(half, "wb") as file:
            async for chunk in chunks:
                await file.write(chunk)
            await file.flush()
            await anyio.to_thread.run_sync(os.fsync, file.wrapped.fileno())
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error


@asynccontextmanager
async def _named_at_the_end(path: Path) -> AsyncGenerator[anyio.Path]:
    half = anyio.Path(path.with_name(f".{path.name}.{token_hex(4)}.part"))
    try:
        yield half
        await half.rename(path)
    finally:
        with anyio.CancelScope(shield=True), suppress(FileNotFoundError):
            await half.unlink()
