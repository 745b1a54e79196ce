"""Publishing: a file is written under a hidden name, and gets its own name when it is complete and on disk."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from time import time
from typing import BinaryIO, Literal
from uuid import uuid4

from routekit import Rejected

from .content import unreadable
from .moving import NO_LINKS, TEMPORARY, numbered

Exists = Literal["fail", "replace", "rename", "skip", "append"]

_STALE = 3600.0
"""Seconds after which an unfinished file that nobody has locked is rubbish of a process that died."""


def publish(folder: int, name: str, content: "bytes | Path", exists: Exists, *, sync: bool) -> str:
    """Write a file into the open folder, and return the name that it got; blocks.

    Raises OSError with nothing left behind, and Rejected when the name is taken and `exists` is `fail`; a file with
    the very same content counts as written, so that a message that is delivered again does no harm.
    """
    with _temporary(folder) as (temporary, file):
        _fill(file, content)
        if sync:
            file.flush()
            os.fsync(file.fileno())
        got = _named(folder, temporary, name, exists)
    if sync:
        os.fsync(folder)
    return got


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
    descriptor = os.open(
        name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
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
