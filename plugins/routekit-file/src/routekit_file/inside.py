"""Inside: a name that a message gives can never leave the directory of its sink."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from routekit import BodyError

from .moving import LONGEST

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def parts_of(name: str) -> list[str]:
    """The folders and the file name that `name` asks for; raises BodyError for one that is no place inside.

    Names that begin with a dot are refused: `..` leaves the directory, and the others are hidden from sources.

    >>> parts_of("2026/orders.csv")
    ['2026', 'orders.csv']
    """
    parts = name.split("/")
    for part in parts:
        wrong = _wrong(part)
        if wrong:
            hint = "give a relative path inside the directory, such as 2026/orders.csv"
            raise BodyError(f"{name!r} cannot be the name of a file: {wrong}", hint=hint)
    return parts


def _wrong(part: str) -> str | None:
    if not part:
        return "it is empty, or begins or ends with / or has // in it"
    if part.startswith("."):
        return f"{part!r} begins with a dot"
    if "\0" in part:
        return "it has a zero byte in it"
    try:
        check_length(part)
    except (UnicodeEncodeError, BodyError) as error:
        return error.reason
    return None


def check_length(part: str) -> None:
    """Raise BodyError for a name that is longer than filesystems can take."""
    size = len(part.encode())
    if size > LONGEST:
        raise BodyError(f"{part[:20]!r}... has {size} bytes, {LONGEST} are the most", hint="give a shorter name")


def safe(text: str, ending: str = "") -> str:
    """A file name out of any text, such as the id of a message; different texts give different names.

    >>> safe("leads.csv:12/7", ".json"), safe("../x")
    ('leads.csv%3A12%2F7.json', '%2E.%2Fx')
    """
    name = quote(text, safe=" @+=,", errors="surrogatepass")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) + len(ending) <= LONGEST:
        return name + ending
    digest = sha256(name.encode()).hexdigest()
    return f"{name[: LONGEST - len(digest) - len(ending) - 1]}-{digest}{ending}"


@contextmanager
def folder_of(root: Path, folders: list[str], *, create: bool, sync: bool, mode: int | None = None) -> Generator[int]:
    """A descriptor of the folder inside `root`; blocks. Those that are made get `mode`, or what the umask leaves.

    Each folder is opened from the one above it, and never by a symbolic link, so that nobody can put one in the way
    between a check and its use. Raises BodyError for a link, and OSError.
    """
    current = _root(root, create=create, mode=mode)
    try:
        for name in folders:
            inner = _entered(current, name, create=create, sync=sync, mode=mode)
            os.close(current)
            current = inner
        yield current
    finally:
        os.close(current)


def _root(root: Path, *, create: bool, mode: int | None) -> int:
    """The author's own directory, which may be a link; made anew if somebody removed it while the sink was open."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(root, flags)
    except FileNotFoundError:
        if not create:
            raise
    root.mkdir(parents=True, exist_ok=True)
    return _with_mode(os.open(root, flags), mode)


def _entered(outer: int, name: str, *, create: bool, sync: bool, mode: int | None) -> int:
    try:
        return _opened(outer, name)
    except FileNotFoundError:
        if not create:
            raise
    try:
        os.mkdir(name, dir_fd=outer)
    except FileExistsError:  # somebody else was faster
        return _opened(outer, name)
    if sync:
        os.fsync(outer)
    return _with_mode(_opened(outer, name), mode)


def _with_mode(folder: int, mode: int | None) -> int:
    if mode is not None:
        os.fchmod(folder, mode)
    return folder


def _opened(outer: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=outer)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            reason = f"{name!r} is no folder of the directory, but a file or a symbolic link"
            raise BodyError(reason, hint="a sink writes only inside its directory") from error
        raise
