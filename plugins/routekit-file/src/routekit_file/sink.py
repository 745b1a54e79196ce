"""The sink: its options, and the sending of messages into files."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.to_thread
from pydantic import Field, InstanceOf, field_validator, model_validator

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

from .disk import explained
from .inside import folder_of, parts_of
from .markers import marker_template
from .probing import free, writable
from .publishing import Exists, sweep
from .writing import Writer


class FileSink(Producer):
    """Writes each message to a file of a directory, or appends it to one.

    A file gets its name when it is complete and on disk; nobody ever sees half of one. The answer is the message with
    the headers `file.name` and `file.path` of the file that was written. A name that would leave the directory, or a
    body that cannot be written, is refused for good; a full or read-only disk is tried again.
    """

    scheme = "file"
    about = About(
        headers={"file.name": "the name that was written", "file.path": "its path in the directory, with `/`"},
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
    create: bool = Field(default=True, description="make folders that are missing")
    fsync: bool = Field(
        default=True, description="return only when the file is on disk; without it, a power cut may lose it"
    )
    done_file: str = Field(
        default="",
        description="write an empty marker after the file, `{name}.done` or `{stem}.ok`: the file is complete",
    )

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
        writer = Writer(runtime, self.directory, codec, self.exists, self.create, self.fsync, self.done_file)
        with runtime.metered(self, writer.figures()):
            yield partial(self._send, writer)

    async def _send(self, writer: Writer, message: Message[Any], name: str | None = None) -> Message[Any]:
        wanted = name if name is not None else self.name
        path = await writer.write(message, wanted if wanted is not None else writer.name_of(message))
        return message.with_headers({**message.headers, "file.name": path.rpartition("/")[2], "file.path": path})

    def _probed(self) -> str:
        there = writable(self.directory, "where messages are written", create=self.create)
        return f"{self.directory}{'' if there else ' is made at the start'}: {free(self.directory)}"

    def _prepare(self) -> None:
        with folder_of(self.directory, [], create=self.create, sync=self.fsync) as folder:
            sweep(folder)
