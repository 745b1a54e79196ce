"""Writing: the work of one open sink, from a message to a file on disk."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
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
from .publishing import Manner, accompany, publish

_AT_ONCE = 8
"""Worker threads of one sink: more do not make a disk faster, and the others are for the rest of the process."""


class Writer:
    """Writes messages into files below `root`."""

    def __init__(self, runtime: Runtime, root: Path, codec: Codec | None, manner: Manner) -> None:
        self._runtime = runtime
        self._root = root
        self._codec = codec
        self._contents = Contents(runtime, codec)
        self._manner = manner
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

    async def write(self, message: Message[Any], name: str, modified: float | None) -> tuple[str, str]:
        """Write the message to the file `name`; return the relative path that it got, and its checksum if wanted.

        Raises BodyError for a name outside of the directory and for a body that cannot be written, Rejected for a
        file that exists, and Unavailable when the disk does not take it.
        """
        parts = parts_of(name)
        codec = self._contents.codec_for(message.body, parts[-1])
        self._open += 1
        try:
            written = await self._put(name, parts, message.body, codec, modified)
        except OSError as error:
            raise explained(error, str(self._root / name)) from error
        finally:
            self._open -= 1
        self._written += 1
        return written

    async def _put(
        self, name: str, parts: list[str], body: Any, codec: Codec | None, modified: float | None
    ) -> tuple[str, str]:
        if self._manner.exists == "append":
            await self._append(name, parts, body, codec)
            return name, ""
        job = partial(self._publish, parts, body, codec, modified)
        return await anyio.to_thread.run_sync(job, limiter=self._limiter)

    def _publish(self, parts: list[str], body: Any, codec: Codec | None, modified: float | None) -> tuple[str, str]:
        content, manner = content_of(body, codec), self._manner
        if manner.markers is not None:  # before the file is there without it
            check_length(manner.markers.marker_of(parts[-1]))
        if manner.checksum is not None:
            check_length(f"{parts[-1]}.{manner.checksum}")
        with self._folder(parts) as folder:
            name, digest = publish(folder, parts[-1], content, manner, modified)
            accompany(folder, name, digest, manner)
        return "/".join([*parts[:-1], name]), digest

    def _folder(self, parts: list[str]) -> AbstractContextManager[int]:
        manner = self._manner
        return folder_of(self._root, parts[:-1], create=manner.create, sync=manner.sync, mode=manner.folder_mode)

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
        with self._folder(parts) as folder:
            append_all(folder, parts[-1], group, sync=self._manner.sync, mode=self._manner.mode)
