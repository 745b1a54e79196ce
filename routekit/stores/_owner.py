"""Who this process is among those that share a database: the lowest number that no living process has."""

import os
import sys
from collections.abc import Callable, Container, Generator, Sequence
from contextlib import ExitStack, contextmanager
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


SERVICE = 0
"""The number of the one service: what it held when it died is its own again, whatever tools hold others meanwhile."""


@contextmanager
def numbered(database: Path, first: int = SERVICE + 1) -> Generator[int]:
    """Hold a number, from `first`, that no other holder has; the operating system frees it when the process dies.

    The lock files stay, as removing one could let two processes hold the same number.
    """
    for number in range(first, first + MOST):
        file = os.open(_lock_file(database, number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _free(file):
                yield number
                return
        finally:
            os.close(file)
    raise StoreError(f"{MOST} processes share '{database}'", hint="stop some of them")


@contextmanager
def others(database: Path, own: Container[int]) -> Generator[Sequence[str]]:
    """The names of the other living processes; within the block no process takes the name of a dead one."""
    living: list[str] = []
    with ExitStack() as held:
        for number in range(MOST):
            path = _lock_file(database, number)
            if number in own or (number == SERVICE and not path.exists()):
                continue
            if not path.exists():  # they are made in order, and stay
                break
            file = os.open(path, os.O_RDWR)
            held.callback(os.close, file)
            if not _free(file):
                living.append(name_of(number))
        yield living


@contextmanager
def alone(database: Path) -> Generator[None]:
    """Be the one service of a database until the block ends, or the process dies; raises StoreError, and OSError."""
    file = os.open(database.with_name(f"{database.name}.service"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _free(file):
            raise StoreError(
                f"the store '{database}' is in use by another service, {_holder(file)}",
                hint="stop that one, or give this one another `store`; many processes share a postgresql store",
            )
        os.truncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def _holder(file: int) -> str:
    try:
        return f"process {int(os.read(file, 20))}"
    except (OSError, ValueError):  # it begins just now
        return "which begins just now"


def name_of(number: int) -> str:
    """How the process of that number is called."""
    return f"process-{number}"


def _lock_file(database: Path, number: int) -> Path:
    return database.with_name(f"{database.name}.owner-{number}")


def _free(file: int, lock: Callable[[int], None] = _lock) -> bool:
    try:
        lock(file)
    except (BlockingIOError, PermissionError):
        return False
    return True
