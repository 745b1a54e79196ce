"""Writing: the work of one open sink, from a message to a file on disk."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread

from routekit import Codec, Message, Runtime

from .appending import Appender, Waiting, append_all
from .content import Contents, content_of
from .disk import explained
from .inside import check_length, folder_of, parts_of, safe
from .markers import Markers
from .publishing import Exists, publish

_AT_ONCE = 8
"""Worker threads of one sink: more do not make a disk faster, and the others are for the rest of the process."""


class Writer:
    """Writes messages into files below `root`."""

    def __init__(
        self,
        runtime: Runtime,
        root: Path,
        codec: Codec | None,
        exists: Exists,
        create: bool,
        sync: bool,
        done_file: str,
    ) -> None:
        self._runtime = runtime
        self._root = root
        self._codec = codec
        self._contents = Contents(runtime, codec)
        self._exists: Exists = exists
        self._create = create
        self._sync = sync
        self._markers = Markers(done_file) if done_file else None
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._appenders: dict[str, Appender] = {}
        self._open = 0
        self._written = 0

    def figures(self) -> dict[str, Callable[[], float]]:
        """What can be read of it while it is open."""
        return {"open": lambda: self._open, "written_total": lambda: self._written}

    def name_of(self, message: Message[Any]) -> str:
        """The name of a message that was given none: its id, made safe, with the suffix of the codec."""
        named = message.id or UUID(int=self._runtime.random.getrandbits(128)).hex
        return safe(named, "" if self._codec is None else self._codec.suffix)

    async def write(self, message: Message[Any], name: str) -> str:
        """Write the message to the file `name`, and return the relative path that it got.

        Raises BodyError for a name outside of the directory and for a body that cannot be written, Rejected for a
        file that exists, and Unavailable when the disk does not take it.
        """
        parts = parts_of(name)
        codec = self._contents.codec_for(message.body, parts[-1])
        self._open += 1
        try:
            path = await self._written_to(name, parts, message.body, codec)
        except OSError as error:
            raise explained(error, str(self._root / name)) from error
        finally:
            self._open -= 1
        self._written += 1
        return path

    async def _written_to(self, name: str, parts: list[str], body: Any, codec: Codec | None) -> str:
        if self._exists == "append":
            await self._append(name, parts, body, codec)
            return name
        job = partial(self._publish, parts, body, codec)
        return await anyio.to_thread.run_sync(job, limiter=self._limiter)

    def _publish(self, parts: list[str], body: Any, codec: Codec | None) -> str:
        content = content_of(body, codec)
        if self._markers is not None:
            check_length(self._markers.marker_of(parts[-1]))  # before the file is there without it
        with folder_of(self._root, parts[:-1], create=self._create, sync=self._sync) as folder:
            name = publish(folder, parts[-1], content, self._exists, sync=self._sync)
            if self._markers is not None:
                self._mark(folder, self._markers.marker_of(name))
        return "/".join([*parts[:-1], name])

    def _mark(self, folder: int, marker: str) -> None:
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder))
        if self._sync:
            os.fsync(folder)

    async def _append(self, name: str, parts: list[str], body: Any, codec: Codec | None) -> None:
        appender = self._appenders.get(name)
        if appender is None:
            appender = self._appenders[name] = Appender(partial(self._append_all, parts), self._limiter)
        appender.users += 1
        try:
            await appender.append(body, codec)
        finally:
            appender.users -= 1
            if not appender.users:  # names may be computed: only those in use are kept
                del self._appenders[name]

    def _append_all(self, parts: list[str], group: Sequence[Waiting]) -> None:
        with folder_of(self._root, parts[:-1], create=self._create, sync=self._sync) as folder:
            append_all(folder, parts[-1], group, sync=self._sync)
