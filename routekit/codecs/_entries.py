"""The entries of an archive: which are wanted, what their names may be, and how much may come out of them."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate
from typing import Any, BinaryIO

from ..errors import BodyError

_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive; `problem` says why it is not read, `open` gives its content."""

    name: str
    problem: str
    open: Callable[[], BinaryIO]


class TooMuch(BodyError):
    """More comes out of an archive than may: all of it is refused."""


class Damaged(BodyError):
    """One entry of an archive cannot be read."""


def name_of(given: str) -> tuple[str, str]:
    r"""The name of an entry with `/` between its folders, and what is wrong with it, if anything is.

    >>> name_of("./2026\\a.csv"), name_of("../a")[1], name_of("/etc/passwd")[1]
    (('2026/a.csv', ''), "its name has '..' in it", 'its name is an absolute path')
    """
    slashed = given.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if slashed.startswith("/") or _DRIVE.match(slashed):
        return given, "its name is an absolute path"
    if ".." in parts:
        return given, "its name has '..' in it"
    if not parts or "\0" in given:
        return given, "it has no name"
    return "/".join(parts), ""


class Wanted:
    """Comma separated globs; one with a `/` is held against the whole name, the others against its last part."""

    def __init__(self, include: str, exclude: str) -> None:
        self._include = _globs(include)
        self._exclude = _globs(exclude)

    def __call__(self, name: str) -> bool:
        last = name.rpartition("/")[2]

        def fits(globs: list[tuple[bool, re.Pattern[str]]]) -> bool:
            return any(glob.match(name if whole else last) for whole, glob in globs)

        return fits(self._include) and not fits(self._exclude)


def _globs(text: str) -> list[tuple[bool, re.Pattern[str]]]:
    return [("/" in glob, re.compile(translate(glob.strip()))) for glob in text.split(",") if glob.strip()]


class Contents(io.RawIOBase):
    """The content of an entry: counts what comes out, and gives all kinds of damage one name."""

    def __init__(self, stream: Any, came: Callable[[int], None], damage: tuple[type[Exception], ...]) -> None:
        self._stream = stream
        self._came = came
        self._damage = damage

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """The next bytes; raises Damaged and TooMuch."""
        with memoryview(buffer) as view, view.cast("B") as room:
            try:
                data: bytes = self._stream.read(len(room))
            except self._damage as error:
                raise Damaged(f"it is damaged: {error}") from None
            room[: len(data)] = data
        self._came(len(data))
        return len(data)
