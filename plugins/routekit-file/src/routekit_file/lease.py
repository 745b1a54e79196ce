"""Lease: a file belongs to one route of one process at a time.

The kernel's advisory lock on a small file in `.routekit/`, beside the file that it stands for. A process that dies, by
whatever cause, loses its locks at once, and the file, which has stayed where it was, is simply taken again. Such locks
hold among the processes of one host. The lease file belongs to the folder and not to the source, so that two sources
of which one looks into the other's folder exclude each other as well.
"""

import fcntl
import os
import weakref
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

FOLDER = ".routekit"
"""The folder, in each folder that files are taken from, for what must not be taken."""


class Lease:
    """The right to work on one file, until it is released; all methods block for a moment."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        # One that nobody holds any more, such as after a forced stop, is free as well.
        self._close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def take(cls, file: Path) -> "Lease | None":
        """The lease of `file`, or None if somebody else has it. Raises OSError if no lease can be written."""
        folder = file.parent / FOLDER
        path = folder / f"{sha256(os.fsencode(file.name)).hexdigest()[:40]}.lease"
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            except FileNotFoundError:
                folder.mkdir(exist_ok=True)
                continue
            lease = cls(path, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lease.close()
                return None
            if _is_at(descriptor, path):
                return lease
            lease.close()  # its owner removed it between our opening and locking it: this lock protects nothing

    def release(self) -> None:
        """Let others have the file, and leave nothing behind."""
        if not self._close.alive:
            return
        with suppress(FileNotFoundError):
            self._path.unlink()  # while the lock is held: nobody can have locked this file in between
        self._close()

    def close(self) -> None:
        """Let others have the file, at once and without touching the disk; the lease file stays for the next one."""
        self._close()


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
