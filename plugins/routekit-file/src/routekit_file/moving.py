"""Moving a file to a name that nobody has yet: never over another file, and never lost on the way."""

import errno
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePosixPath
from uuid import uuid4

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What is answered where there can be no hard link: by some filesystems, and for files of other users (EPERM)."""

LONGEST = 255
"""The bytes that the name of a file may have, on every common filesystem."""

TEMPORARY = ".routekit-"
"""How the names of unfinished files begin."""


def numbered(name: str, number: int | str, ending: str = "") -> str:
    """The name with a number before its suffix, shortened where it and `ending` would be too long for a filesystem.

    >>> numbered("leads.csv", 2), numbered("leads", 2), numbered("x.csv", 0)
    ('leads-2.csv', 'leads-2', 'x.csv')
    """
    path = PurePosixPath(name)
    addition = f"-{number}" if number else ""
    room = LONGEST - len(os.fsencode(addition + path.suffix + ending))
    stem = os.fsencode(path.stem)
    if len(stem) > room:  # cut between characters where the name has any
        stem = os.fsencode(stem[: max(room, 1)].decode("utf-8", "ignore")) or stem[: max(room, 1)]
    return f"{os.fsdecode(stem)}{addition}{path.suffix}"


def move_aside(source: Path, target: Path, time: str) -> Path:
    """Move `source` to `target`, or to a like name if that is taken: with the time, then with a number."""
    for free in _targets(target, time):
        try:
            move(source, free)
        except FileExistsError:
            continue
        return free
    raise AssertionError("the names never end")


def move_with_note(source: Path, target: Path, time: str, ending: str, note: bytes) -> Path:
    """Move `source` as `move_aside` does, with `note` in a file beside it whose name has `ending` more."""
    for free in _targets(target, time, ending):
        beside = free.with_name(free.name + ending)
        try:
            with beside.open("xb") as file:  # first: a file that failed never stands there without the reason
                file.write(note)
        except FileExistsError:
            continue
        try:
            move(source, free)
        except FileExistsError:
            beside.unlink()
            continue
        except OSError:
            beside.unlink()
            raise
        return free
    raise AssertionError("the names never end")


def move(source: Path, target: Path) -> None:
    """Give `source` the name `target`, on whatever filesystem; raises FileExistsError if there is such a file."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy(source, target)
        elif error.errno in NO_LINKS:
            _replace_own(source, target)
            return
        else:
            raise
    source.unlink()


def _replace_own(source: Path, target: Path) -> None:
    """Take the name with an empty file first, so that nothing of somebody else is replaced."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    try:
        source.replace(target)
    except OSError:
        target.unlink()
        raise


def _copy(source: Path, target: Path) -> None:
    """A copy on another filesystem, complete and on disk before it can be seen."""
    temporary = target.with_name(f"{TEMPORARY}{uuid4().hex}")
    try:
        shutil.copy2(source, temporary, follow_symlinks=False)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        move(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _targets(place: Path, time: str, ending: str = "") -> Iterator[Path]:
    place.parent.mkdir(parents=True, exist_ok=True)
    yield place.with_name(numbered(place.name, 0, ending))
    yield place.with_name(numbered(place.name, time, ending))
    for number in count(2):
        yield place.with_name(numbered(place.name, f"{time}-{number}", ending))
