"""The sink: its options, and the sending of messages into files."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import anyio
import anyio.to_thread
from pydantic import AwareDatetime, Field, InstanceOf, field_validator, model_validator

from routekit import (
    PER_MESSAGE,
    About,
    BodyError,
    Capabilities,
    Codec,
    Message,
    Producer,
    Rejected,
    Runtime,
    Send,
    Unavailable,
)

from .checksums import Algorithm
from .disk import explained
from .inside import folder_of, parts_of
from .markers import Markers, marker_template
from .probing import free, writable
from .publishing import Exists, Manner, sweep
from .writing import Writer

Mode = Annotated[str, Field(pattern="^[0-7]{3,4}$")]
"""Permissions in octal digits, as chmod takes them: `640` is rw-r-----."""


class FileSink(Producer):
    """Writes each message to a file of a directory, or appends it to one.

    A file gets its name when it is complete and on disk; nobody ever sees half of one. The answer is the message with
    the headers `file.name` and `file.path` of the file that was written. A name that would leave the directory, or a
    body that cannot be written, is refused for good; a full or read-only disk is tried again.
    """

    scheme = "file"
    about = About(
        headers={
            "file.name": "the name that was written",
            "file.path": "its path in the directory, with `/`",
            "file.checksum": "with checksum: it, in hexadecimal digits",
        },
        raises={
            Rejected: "with exists=fail: there is such a file, with other content",
            BodyError: "a name that leads out of the directory, or a body that cannot be written",
            Unavailable: "the disk is full or read-only, or the directory is not there",
        },
        figures={"open": "messages that are being written", "written_total": "messages that were written"},
        example="""
            from routekit import from_

            orders = from_("timer:tick?every=1m", int).to(
                "file:orders?codec=json&fsync=false", name=lambda number: f"{number % 10}/{number}.json"
            )
        """,
    )

    directory: Path = Field(description="the directory")
    name: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="the file's name, with folders if wanted; unset: the id of the message made safe"
    )
    exists: Exists = Field(
        default="fail",
        description="when the file exists: `fail` (unless it has the same content), `replace` it, `rename` the new "
        "one, `skip` the message, or `append` to the file",
    )
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(
        default=None,
        description="how bodies are written; unset: bytes and text as they are, others by the name's suffix",
    )
    modified: Annotated[AwareDatetime | None, PER_MESSAGE] = Field(
        default=None,
        description="the file's time of modification: a datetime with its zone, or seconds since 1970; unset: now",
    )
    mode: Mode | None = Field(
        default=None, description="permissions of files, as chmod takes them, 640; unset: by the umask"
    )
    folder_mode: Mode | None = Field(default=None, description="permissions of folders that are made, such as 2770")
    create: bool = Field(default=True, description="make folders that are missing")
    fsync: bool = Field(
        default=True, description="return only when the file is on disk; without it, a power cut may lose it"
    )
    checksum: Algorithm | None = Field(
        default=None,
        description="write a file with this checksum beside each file, `{name}.sha256`, as `sha256sum` does",
    )
    done_file: str = Field(
        default="",
        description="write an empty marker after the file, `{name}.done` or `{stem}.ok`: the file is complete",
    )

    advice: ClassVar[Mapping[str, str]] = {"idempotent": "exists=replace"}

    def promises(self) -> Capabilities:
        """A file is there whole or not at all; what is appended may be torn, and comes twice if it is sent twice."""
        again = self.exists in ("fail", "replace", "skip")
        return Capabilities(transactional=self.exists != "append", idempotent=again)

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str | None) -> str | None:
        try:
            return name if name is None else "/".join(parts_of(name))
        except BodyError as error:
            raise ValueError(str(error)) from None

    @field_validator("done_file")
    @classmethod
    def _names_its_file(cls, template: str) -> str:
        return marker_template(template)

    @model_validator(mode="after")
    def _without_contradictions(self) -> "FileSink":
        if self.exists == "append" and self.done_file:
            raise ValueError("done_file says that a file is complete, but exists=append adds to it")
        if self.checksum and self.exists in ("append", "skip"):
            raise ValueError(
                f"checksum is that of the message's own file, but exists={self.exists} may leave another one"
            )
        if self.modified is not None and self.exists == "append":
            raise ValueError("modified is for whole files, but exists=append adds to them")
        return self

    async def probe(self, runtime: Runtime) -> str:
        """Whether the directory can be written, and how much room there is."""
        return await anyio.to_thread.run_sync(self._probed)

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """Make or find the directory, and give the send function; see `Producer.open`."""
        codec = None if self.codec is None else runtime.codec(self.codec)
        try:
            await anyio.to_thread.run_sync(self._prepare)
        except OSError as error:
            raise explained(error, str(self.directory)) from error
        writer = Writer(runtime, self.directory, codec, self._manner())
        with runtime.metered(self, writer.figures()):
            yield partial(self._send, writer)

    async def _send(
        self, writer: Writer, message: Message[Any], name: str | None = None, modified: datetime | None = None
    ) -> Message[Any]:
        wanted = name if name is not None else self.name
        time = modified if modified is not None else self.modified
        path, digest = await writer.write(
            message,
            wanted if wanted is not None else writer.name_of(message),
            None if time is None else time.timestamp(),
        )
        headers = {**message.headers, "file.name": path.rpartition("/")[2], "file.path": path}
        if digest:
            headers["file.checksum"] = digest
        return message.with_headers(headers)

    def _manner(self) -> Manner:
        return Manner(
            exists=self.exists,
            create=self.create,
            sync=self.fsync,
            mode=_number(self.mode),
            folder_mode=_number(self.folder_mode),
            checksum=self.checksum,
            markers=Markers(self.done_file) if self.done_file else None,
        )

    def _probed(self) -> str:
        there = writable(self.directory, "where messages are written", create=self.create)
        return f"{self.directory}{'' if there else ' is made at the start'}: {free(self.directory)}"

    def _prepare(self) -> None:
        with folder_of(
            self.directory, [], create=self.create, sync=self.fsync, mode=_number(self.folder_mode)
        ) as folder:
            sweep(folder)


def _number(mode: str | None) -> int | None:
    return None if mode is None else int(mode, 8)
