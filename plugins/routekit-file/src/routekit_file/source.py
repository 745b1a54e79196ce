"""The source: its options, and the way of its files into a route."""

import sys
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
from pydantic import Field, InstanceOf, field_validator, model_validator

from routekit import About, BodyError, Bytes, Capabilities, Codec, Consumer, Delivery, Runtime, Seconds, Unavailable

from .checksums import Algorithm
from .destination import Destination, destination_pattern
from .fate import After, Fate
from .globs import Globs
from .markers import Markers, marker_template
from .probing import readable, writable
from .reading import Read, Reader
from .seen import KnownBy, Seen
from .selection import Selection
from .taking import Taking, away, made_ready
from .terms import Terms, unsettled_files
from .watching import can_watch, watching

_ALL = sys.maxsize
"""Folders as deep as there are any."""

Sort = Literal["name", "modified", "size", "-name", "-modified", "-size", "none"]


class FileSource(Consumer):
    """Takes the files of a directory: each is a message, or each of its lines or records is one.

    A file stays where it is while it is worked on, under a lease that ends with the process: nothing has to be taken
    back after a crash. Once everything that it caused is done, it is moved, deleted or kept; one that was refused is
    moved to `failed_to`, with the reason in a file beside it.
    """

    scheme = "file"
    capabilities = Capabilities(replayable=True)
    about = About(
        headers={
            "file.name": "the name of the file",
            "file.path": "its path in the directory, with `/`",
            "file.size": "bytes",
            "file.modified": "seconds since 1970",
            "row": "with lines and records: the number, from 1",
        },
        raises={
            Unavailable: "the directory cannot be read, no lease can be written, or a handled file cannot be moved",
            BodyError: "a file that cannot be read as asked: too large, another checksum, no codec, a broken record",
        },
        figures={
            "waiting": "files of the last look that are not taken yet",
            "ripening": "files of the last look that are not stable yet",
            "open": "files that are at work",
            "taken_total": "files that were taken",
            "done_total": "files that were handled",
            "failed_total": "files that were refused",
        },
        example="""
            from pathlib import Path

            from routekit import from_

            copies = from_("file:in?read=path&after=move&done_to=archive/{date}&stable=5s", Path).to(
                "file:out", name=lambda path: path.name
            )
        """,
    )

    directory: Path = Field(description="the directory")
    after: After = Field(
        description="what becomes of a file that was handled: `move`, `delete` or `keep`; must be given"
    )
    include: str = Field(
        default="*", min_length=1, description="globs, comma separated; with a `/` for the relative path"
    )
    exclude: str = Field(default="", description="globs of what is not taken, comma separated")
    ignore_case: bool = Field(default=False, description="globs do not tell upper from lower case")
    recursive: bool = Field(default=False, description="also take the files of folders in the directory")
    depth: int | None = Field(
        default=None, ge=1, description="with recursive: folders only so deep, 1 for those in the directory; unset: all"
    )
    min_size: Bytes = Field(default=0, ge=0, description="smaller files are not taken; they stay")
    max_size: Bytes | None = Field(default=None, ge=0, description="larger files are not taken; they stay")
    sort: Sort = Field(
        default="name",
        description="the order: `name`, `modified` or `size`, with `-` the other way round; `none`: as the folder "
        "gives them, which is the fastest for many",
    )
    max_files: int = Field(
        default=10_000,
        ge=1,
        le=100_000,
        description="files of one look; the next look, for the others, follows at once",
    )
    read: Read = Field(
        default="whole",
        description="the body: `whole` (bytes), `path` (a Path, the file stays there while it is worked on), "
        "`lines` (a message for each line) or `records` (one for each record of the codec)",
    )
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(
        default=None,
        description="what decodes; unset: for records by the file's suffix, for lines `text`, for whole none",
    )
    max_bytes: Bytes = Field(default=64 << 20, gt=0, description="with read=whole: a larger file is refused")
    done_to: str = Field(
        default=".done",
        min_length=1,
        description="where after=move moves to, in the directory or absolute: a folder, `archive/{date}`, or the file, "
        "`archive/{folder}/{stem}-{time}{suffix}`",
    )
    failed_to: str = Field(default=".failed", min_length=1, description="where refused files go; as `done_to`")
    known_by: KnownBy = Field(
        default="version",
        description="by what after=keep knows a file that was handled: `version` (name, size and time), `content` "
        "(name and SHA-256, which reads each new version once more) or `name`",
    )
    done_file: str = Field(
        default="",
        description="take a file only when this marker is there, `{name}.done` or `{stem}.ok`; it goes with the file",
    )
    checksum: Algorithm | None = Field(
        default=None,
        description="the done file, if unset `{name}.sha256` and its like, holds this checksum of the file, as "
        "`sha256sum` writes it; a file that has another one is refused",
    )
    min_age: Seconds = Field(
        default=0.0, ge=0, description="seconds since the last modification before a file is taken"
    )
    max_age: Seconds | None = Field(
        default=None, gt=0, description="seconds since the last modification after which a file is not taken; it stays"
    )
    stable: Seconds = Field(default=0.0, ge=0, description="seconds for which size and time must not have changed")
    delay: Seconds = Field(default=0.0, ge=0, description="seconds before the first look at the directory")
    poll: Seconds = Field(default=1.0, gt=0, description="seconds between two looks at the directory")
    watch: bool = Field(default=False, description="also be woken by changes (needs routekit-file[watch])")
    create: bool = Field(default=True, description="make the directory if it is missing")

    def takes_back(self) -> bool:
        """A refused file goes to `failed_to`; a refused line or record does not fail the others of its file."""
        return self.read in ("whole", "path")

    def promises(self) -> Capabilities:
        """A whole file has a largest size."""
        return Capabilities(replayable=True, largest=self.max_bytes if self.read == "whole" else None)

    @model_validator(mode="before")
    @classmethod
    def _after_is_chosen(cls, options: Any) -> Any:
        if isinstance(options, Mapping) and "after" not in options:
            raise ValueError(
                "'after' is missing: say what becomes of a file that was handled, "
                "after=move (to done_to), after=delete or after=keep (and remember it)"
            )
        return options  # pyright: ignore[reportUnknownVariableType]  # as it was given, for pydantic to judge

    @field_validator("done_to", "failed_to")
    @classmethod
    def _leads_somewhere(cls, pattern: str) -> str:
        return destination_pattern(pattern)

    @field_validator("done_file")
    @classmethod
    def _names_its_file(cls, template: str) -> str:
        return marker_template(template)

    @field_validator("watch")
    @classmethod
    def _can_watch(cls, watch: bool) -> bool:
        if watch and not can_watch():
            raise ValueError("needs a package that is not installed: pip install 'routekit-file[watch]'")
        return watch

    @model_validator(mode="after")
    def _without_contradictions(self) -> "FileSource":
        given = self.model_fields_set
        if "done_to" in given and self.after != "move":
            raise ValueError(f"done_to is for after=move, but after={self.after}")
        if "known_by" in given and self.after != "keep":
            raise ValueError(f"known_by is for after=keep, but after={self.after}")
        if self.depth is not None and not self.recursive:
            raise ValueError("depth is for recursive=true")
        if self.max_size is not None and self.max_size < self.min_size:
            raise ValueError(f"no file has min_size={self.min_size} and max_size={self.max_size}")
        if self.max_age is not None and self.max_age <= max(self.min_age, self.stable):
            raise ValueError(f"max_age={self.max_age:g} is over before min_age and stable are")
        if "max_bytes" in given and self.read != "whole":
            raise ValueError(f"max_bytes is for read=whole, but read={self.read} never holds a whole file")
        if self.codec is not None and self.read == "path":
            raise ValueError("a codec is for contents, but read=path gives the path; decode with Records(..., codec=)")
        if self.after == "move" and self.done_to == self.failed_to:
            raise ValueError(f"done_to and failed_to are both '{self.done_to}'")
        for place in (self._done_to, self._failed_to):
            if not place.shape().pattern:
                raise ValueError(f"done_to and failed_to are other folders than the directory, found '{place}'")
        return self

    async def probe(self, runtime: Runtime) -> str:
        """Whether the directory can be read and leased, and done files can go where they should; tells what waits."""
        return await anyio.to_thread.run_sync(self._probed, runtime.now())

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """Deliver file after file, for ever; see `Consumer.consume`."""
        await made_ready(self.directory, create=self.create)
        await anyio.sleep(self.delay)
        taking = Taking(await self._terms(runtime))
        await taking.recall()
        with runtime.metered(self, taking.figures()):
            while True:
                taken = False
                for found in await taking.look():
                    work = await taking.take(found)
                    if work is None:
                        continue
                    taken = True
                    try:
                        while batch := await work.batch():
                            while batch:
                                yield work.delivery(batch)
                    finally:
                        await work.leave()
                if not taken:
                    await taking.rest()

    def _probed(self, now: float) -> str:
        there = readable(self.directory, create=self.create)
        writable(self.directory, "where leases are written")
        if self.after == "move":
            writable(self._done_to.base, "where handled files go")
        writable(self._failed_to.base, "where refused files go")
        if not there:
            return f"{self.directory} is made at the start"
        try:
            found, _ = self._selection().scan(self.directory, now, lambda file: True)
        except OSError as error:
            raise away(self.directory, error) from error
        more = " or more" if len(found) == self.max_files else ""
        return f"{self.directory}: {len(found)}{more} file{'' if len(found) == 1 else 's'}"

    async def _terms(self, runtime: Runtime) -> Terms:
        keep = self.after == "keep"
        return Terms(
            runtime=runtime,
            root=self.directory,
            create=self.create,
            poll=self.poll,
            stable=self.stable,
            many=self.read in ("lines", "records"),
            selection=self._selection(),
            reader=self._reader(runtime),
            fate=Fate(self.after, self._done_to, self._failed_to, runtime.route, runtime.now),
            seen=Seen(runtime.store, runtime.route, str(self.directory), self.known_by) if keep else None,
            unsettled=await runtime.shared(unsettled_files, str(self.directory), runtime.route),
            watch=await runtime.shared(watching, str(self.directory), self.recursive) if self.watch else None,
        )

    def _reader(self, runtime: Runtime) -> Reader:
        choice = self.codec if self.codec is not None or self.read != "lines" else "text"
        codec = None if choice is None else runtime.codec(choice)
        return Reader(self.read, partial(_codec_for, runtime, codec), codec, self.max_bytes, self.checksum)

    @property
    def _done_to(self) -> Destination:
        return Destination(self.directory, self.done_to)

    @property
    def _failed_to(self) -> Destination:
        return Destination(self.directory, self.failed_to)

    def _selection(self) -> Selection:
        marker = self.done_file or (f"{{name}}.{self.checksum}" if self.checksum else "")
        return Selection(
            include=Globs(self.include, ignore_case=self.ignore_case),
            exclude=Globs(self.exclude, ignore_case=self.ignore_case),
            depth=(self.depth or _ALL) if self.recursive else 0,
            order=self.sort.removeprefix("-"),
            backwards=self.sort.startswith("-"),
            most=self.max_files,
            min_age=self.min_age,
            max_age=self.max_age,
            min_size=self.min_size,
            max_size=self.max_size,
            markers=Markers(marker) if marker else None,
            work=(self._done_to.shape(), self._failed_to.shape()),
        )


def _codec_for(runtime: Runtime, codec: Codec | None, suffix: str) -> Codec:
    if codec is None and not suffix:
        raise BodyError(
            "the name has no suffix that would say what is in it", hint="give a codec, or choose by include"
        )
    return codec or runtime.codec(suffix)
