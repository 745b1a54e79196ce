"""Who this process is among those that share a database: the lowest number that no living process has."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StoreError

MOST = 1000

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def numbered(database: Path) -> Generator[int]:
    """Hold a number, from 0, that no other holder has; the operating system frees it when the process dies.

    The lock files stay, as removing one could let two processes hold the same number.
    """
    for number in range(MOST):
        file = os.open(database.with_name(f"{database.name}.owner-{number}"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _free(file):
                yield number
                return
        finally:
            os.close(file)
    raise StoreError(f"{MOST} processes share '{database}'", hint="stop some of them")


def _free(file: int, lock: Callable[[int], None] = _lock) -> bool:
    try:
        lock(file)
    except (BlockingIOError, PermissionError):
        return False
    return True
