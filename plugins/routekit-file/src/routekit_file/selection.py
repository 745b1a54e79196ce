"""Selection: which files of a directory a source takes, and in which order."""

import os
import re
from bisect import insort
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from itertools import islice
from pathlib import Path
from typing import Any

from anyio import from_thread

from .found import Found
from .globs import Globs
from .markers import Markers

Order = Callable[[Found], Any]

ORDERS: dict[str, Order] = {
    "modified": lambda found: (found.mtime_ns, found.relative),
    "size": lambda found: (found.size, found.relative),
}
"""The orders for which a file has to be looked at, and not only its name."""

_ENTRIES = 1000
"""The entries of a folder that are read before somebody may stop the reading."""

Entry = tuple["os.DirEntry[str]", Path, str]
"""An entry of a folder, that folder, and its relative path."""


@dataclass(frozen=True)
class Selection:
    """What a source takes: ages are in seconds, sizes in bytes; None is no limit.

    `depth` is how many folders deep it looks; `most` is for one look; `work` are the folders, below the directory, of
    files that are done.
    """

    include: Globs
    exclude: Globs
    depth: int
    order: str
    backwards: bool
    most: int
    min_age: float
    max_age: float | None
    min_size: int
    max_size: int | None
    markers: Markers | None
    work: tuple[re.Pattern[str], ...]

    def scan(self, root: Path, now: float, wanted: Callable[[Found], bool]) -> tuple[list[Found], bool]:
        """The first files that are `wanted`, in order, and whether all were looked at; blocking.

        Not more than `most` are held in memory, however many there are. Raises OSError if the directory cannot be read.
        Names that begin with a dot are never taken, nor are symbolic links: what they point to is taken under its
        own name if it is in the directory.
        """
        oldest = None if self.max_age is None else (now - self.max_age) * 1e9
        youngest = (now - self.min_age) * 1e9 if self.min_age else None

        def seen(entry: Entry) -> Found | None:
            found = self._found(*entry)
            if found is None or not self._fits(found, youngest, oldest) or not wanted(found):
                return None
            return found

        with closing(self._walk(root)) as candidates:
            if self.order == "name":
                return _by_name(candidates, seen, self.most, backwards=self.backwards)
            files = filter(None, map(seen, candidates))
            if self.order == "none":
                return list(islice(files, self.most)), next(candidates, None) is None
            first = nlargest if self.backwards else nsmallest
            return first(self.most, files, key=ORDERS[self.order]), True

    def _fits(self, found: Found, youngest: float | None, oldest: float | None) -> bool:
        if (youngest is not None and found.mtime_ns > youngest) or (oldest is not None and found.mtime_ns < oldest):
            return False
        return found.size >= self.min_size and (self.max_size is None or found.size <= self.max_size)

    def _walk(self, root: Path) -> Generator[Entry]:
        folders = [(root, "", 0)]
        while folders:
            folder, prefix, depth = folders.pop()
            for entry in _visible(folder, must_exist=not prefix):
                relative = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if depth < self.depth and not self._is_work(relative):
                        folders.append((folder / entry.name, f"{relative}/", depth + 1))
                elif self._named(entry.name, relative):
                    yield entry, folder, relative

    def _named(self, name: str, relative: str) -> bool:
        if self.markers is not None and self.markers.is_marker(name):
            return False
        return self.include.match(relative) and not self.exclude.match(relative)

    def _found(self, entry: "os.DirEntry[str]", folder: Path, relative: str) -> Found | None:
        marker = None if self.markers is None else folder / self.markers.marker_of(entry.name)
        if marker is not None and not marker.is_file():
            return None
        try:
            if not entry.is_file(follow_symlinks=False):
                return None
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # taken by another process since the folder was read
            return None
        return Found(folder, relative, seen.st_size, seen.st_mtime_ns, seen.st_ino, marker)

    def _is_work(self, relative: str) -> bool:
        return any(pattern.fullmatch(relative) for pattern in self.work)


def _by_name(
    candidates: Iterable[Entry], seen: Callable[[Entry], Found | None], most: int, *, backwards: bool
) -> tuple[list[Found], bool]:
    """The first files by relative path; those that are behind the first `most` are not even looked at."""
    first: list[Found] = []
    all_seen = True
    for entry in candidates:
        full = len(first) == most
        if full and (entry[2] < first[0].relative if backwards else entry[2] > first[-1].relative):
            all_seen = False
            continue
        found = seen(entry)
        if found is None:
            continue
        if full:
            first.pop(0 if backwards else -1)
            all_seen = False
        insort(first, found, key=lambda file: file.relative)
    return first[::-1] if backwards else first, all_seen


def _visible(folder: Path, *, must_exist: bool) -> "Iterator[os.DirEntry[str]]":
    """What is in a folder, one after the other. Raises what cancels the worker thread."""
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number % _ENTRIES == _ENTRIES - 1:
                    from_thread.check_cancelled()
                if not entry.name.startswith("."):
                    yield entry
    except FileNotFoundError:
        if must_exist:
            raise
        # a folder that was removed while its siblings were read
