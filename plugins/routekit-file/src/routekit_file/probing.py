"""Probing: whether a directory is there, and can be used as an endpoint means to use it; nothing is changed."""

import os
import shutil
from pathlib import Path

from routekit import Unavailable

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def readable(directory: Path, *, create: bool) -> bool:
    """Whether the directory is there, and can be read; false for one that will be made. Raises Unavailable. Blocks."""
    if not _there(directory, create=create):
        return False
    if not _allowed(directory, os.R_OK | os.X_OK):
        raise Unavailable(f"the directory {directory} cannot be read", hint="see its permissions")
    return True


def writable(directory: Path, use: str, *, create: bool = True) -> bool:
    """As `readable`, for writing; `use` says in errors what for. Blocks."""
    if not _there(directory, create=create):
        return False
    if not _allowed(directory, os.W_OK | os.X_OK):
        raise Unavailable(f"the directory {directory} cannot be written, {use}", hint="see its permissions")
    return True


def free(directory: Path) -> str:
    """The room on the disk of a directory, or of what is above it, in a few words; raises Unavailable for none."""
    room = shutil.disk_usage(_existing(directory)).free
    if not room:
        raise Unavailable(f"the disk of {directory} is full", hint="make room on it")
    return f"{_amount(room)} free"


def _there(directory: Path, *, create: bool) -> bool:
    if directory.is_dir():
        return True
    if directory.exists():
        raise Unavailable(f"{directory} is no directory", hint="give the path of one")
    if not create:
        raise Unavailable(f"the directory {directory} is not there", hint="make it, or let create=true make it")
    above = _existing(directory)
    if not above.is_dir() or not _allowed(above, os.W_OK | os.X_OK):
        raise Unavailable(f"the directory {directory} cannot be made in {above}", hint="see its permissions")
    return False


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _allowed(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _amount(size: int) -> str:
    """A number of bytes for people.

    >>> _amount(512), _amount(34_000_000_000)
    ('512 bytes', '31.7 GB')
    """
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.{1 if unit else 0}f} {_UNITS[unit]}"
