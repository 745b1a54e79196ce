"""Publishing: a file is written under a hidden name, and gets its own name when it is complete and on disk."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from time import time
from typing import BinaryIO, Literal
from uuid import uuid4

from routekit import Rejected

from .checksums import Algorithm, digest_of, line_of
from .content import unreadable
from .markers import Markers
from .moving import NO_LINKS, TEMPORARY, numbered

Exists = Literal["fail", "replace", "rename", "skip", "append"]

_STALE = 3600.0
"""Seconds after which an unfinished file that nobody has locked is rubbish of a process that died."""


@dataclass(frozen=True)
class Manner:
    """How a sink writes its files; modes are permissions, None is what the umask leaves."""

    exists: Exists
    create: bool
    sync: bool
    mode: int | None
    folder_mode: int | None
    checksum: Algorithm | None
    markers: Markers | None


def publish(
    folder: int, name: str, content: "bytes | Path", manner: Manner, modified: float | None = None
) -> tuple[str, str]:
    """Write a file into the open folder, and return the name that it got, and its checksum if one is wanted; blocks.

    `modified` is in seconds since 1970. Raises OSError with nothing left behind, and Rejected when the name is taken
    and `exists` is `fail`; a file with the very same content counts as written, so that a message that is delivered
    again does no harm.
    """
    with _temporary(folder) as (temporary, file):
        _fill(file, content)
        digest = _digest(file, manner.checksum)
        if manner.mode is not None:
            os.fchmod(file.fileno(), manner.mode)
        if modified is not None:
            os.utime(file.fileno(), (modified, modified))
        if manner.sync:
            os.fsync(file.fileno())
        got = _named(folder, temporary, name, manner.exists)
    if manner.sync:
        os.fsync(folder)
    return got, digest


def accompany(folder: int, name: str, digest: str, manner: Manner) -> None:
    """Write what belongs beside a file: its checksum, then the marker that says that all is complete; blocks."""
    if manner.checksum is not None:
        beside = replace(manner, exists="replace", checksum=None, markers=None)
        publish(folder, f"{name}.{manner.checksum}", line_of(digest, name), beside)
    if manner.markers is not None:
        _mark(folder, manner.markers.marker_of(name), manner)


def _mark(folder: int, marker: str, manner: Manner) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(marker, flags, 0o666, dir_fd=folder)
    try:
        if manner.mode is not None:
            os.fchmod(descriptor, manner.mode)
    finally:
        os.close(descriptor)
    if manner.sync:
        os.fsync(folder)


def sweep(folder: int) -> None:
    """Remove what processes that died while writing have left in an open folder; blocks."""
    for name in os.listdir(folder):
        if not name.startswith(TEMPORARY):
            continue
        with suppress(OSError):  # another process sweeps as well, or is not ours
            if time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > _STALE:
                _remove_if_dead(folder, name)


@contextmanager
def _temporary(folder: int) -> Generator[tuple[str, BinaryIO]]:
    name = f"{TEMPORARY}{uuid4().hex}"
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # tells `sweep` that the writer lives
            yield name, file
    finally:
        with suppress(FileNotFoundError):  # renamed: it has become the file
            os.unlink(name, dir_fd=folder)


def _fill(file: BinaryIO, content: "bytes | Path") -> None:
    if isinstance(content, bytes):
        file.write(content)
    else:
        copy_into(content, file)
    file.flush()


def _digest(file: BinaryIO, algorithm: Algorithm | None) -> str:
    if algorithm is None:
        return ""
    file.seek(0)
    return digest_of(file, algorithm)


def copy_into(path: Path, file: BinaryIO) -> None:
    """Copy a file that is the body of a message; raises BodyError if it cannot be read."""
    try:
        original = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with original:
        shutil.copyfileobj(original, file, 1 << 20)


def _named(folder: int, temporary: str, name: str, exists: Exists) -> str:
    if exists == "replace":
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return name
    for number in count(0):
        wanted = numbered(name, number)
        try:
            _link(folder, temporary, wanted)
        except FileExistsError:
            if exists == "rename":
                continue
            if exists == "fail" and not _same(folder, temporary, wanted):
                hint = "use exists=replace, rename, skip or append, or another name"
                raise Rejected(f"there is a file {name!r} with other content", hint=hint) from None
        return wanted
    raise AssertionError("the numbers never end")


def _link(folder: int, temporary: str, name: str) -> None:
    """A second name for the file, or its only one on filesystems without hard links; FileExistsError if taken."""
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder))
        try:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(name, dir_fd=folder)
            raise


def _same(folder: int, one: str, other: str) -> bool:
    with _reading(folder, one) as first, _reading(folder, other) as second:
        if os.fstat(first.fileno()).st_size != os.fstat(second.fileno()).st_size:
            return False
        while block := first.read(1 << 20):
            if block != second.read(1 << 20):
                return False
    return True


@contextmanager
def _reading(folder: int, name: str) -> Generator[BinaryIO]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
        yield file


def _remove_if_dead(folder: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(descriptor)
