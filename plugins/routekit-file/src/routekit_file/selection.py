"""Selection: which files of a directory a source takes, and in which order."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import Any

from .found import Found

Order = Callable[[Found], Any]

ORDERS: dict[str, Order] = {
    "name": lambda found: found.relative,
    "modified": lambda found: (found.mtime_ns, found.relative),
    "size": lambda found: (found.size, found.relative),
}

NAME = "{name}"
STEM = "{stem}"
DATE = "{date}"


class Globs:
    """Comma separated globs; one with a `/` is held against the relative path, the others against the name."""

    def __init__(self, text: str) -> None:
        globs = [glob.strip() for glob in text.split(",") if glob.strip()]
        self._names = [re.compile(translate(glob)) for glob in globs if "/" not in glob]
        self._paths = [re.compile(translate(glob)) for glob in globs if "/" in glob]

    def match(self, relative: str) -> bool:
        """Whether any of them fits; upper and lower case differ, and `*` also fits `/`."""
        name = relative.rpartition("/")[2]
        return any(glob.match(name) for glob in self._names) or any(glob.match(relative) for glob in self._paths)


class Markers:
    """The done files of a template such as `{name}.done` or `{stem}.ok`."""

    def __init__(self, template: str) -> None:
        self._template = template
        shape = re.escape(template).replace(re.escape(NAME), ".+").replace(re.escape(STEM), ".+")
        self._shape = re.compile(shape, re.DOTALL)

    def is_marker(self, name: str) -> bool:
        """Whether a file of that name is a done file: those are never taken themselves."""
        return self._shape.fullmatch(name) is not None

    def marker_of(self, name: str) -> str:
        """The name of the done file that belongs to the file `name`."""
        return self._template.replace(NAME, name).replace(STEM, name.rpartition(".")[0] or name)


def marker_template(template: str) -> str:
    """The template of a done file as it is; raises ValueError for one that cannot tell its file."""
    if template and (template.count(NAME) + template.count(STEM) != 1 or template in (NAME, STEM)):
        raise ValueError(f"a done file is named after its file: {NAME}.done or {STEM}.ok")
    if "/" in template or "\0" in template:
        raise ValueError("a done file is beside its file")
    return template


@dataclass(frozen=True)
class Selection:
    """What a source takes. `min_age` is in seconds; `work` are the folders, below the directory, of done files."""

    include: Globs
    exclude: Globs
    recursive: bool
    order: Order
    backwards: bool
    min_age: float
    markers: Markers | None
    work: tuple[str, ...]

    def scan(self, root: Path, now: float) -> list[Found]:
        """The files to take, in order; blocking. Raises OSError if the directory cannot be read.

        Names that begin with a dot are never taken, nor are symbolic links: what they point to is taken under its
        own name if it is in the directory.
        """
        youngest = (now - self.min_age) * 1e9
        found = [file for file in self._walk(root) if self.min_age == 0 or file.mtime_ns <= youngest]
        return sorted(found, key=self.order, reverse=self.backwards)

    def _walk(self, root: Path) -> Iterator[Found]:
        folders = [(root, "")]
        while folders:
            folder, prefix = folders.pop()
            for entry in _visible(folder, must_exist=not prefix):
                relative = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if self.recursive and not self._is_work(relative):
                        folders.append((folder / entry.name, f"{relative}/"))
                elif self._wanted(entry, relative):
                    yield from self._found(entry, folder, relative)

    def _wanted(self, entry: "os.DirEntry[str]", relative: str) -> bool:
        if self.markers is not None and self.markers.is_marker(entry.name):
            return False
        return self.include.match(relative) and not self.exclude.match(relative)

    def _found(self, entry: "os.DirEntry[str]", folder: Path, relative: str) -> Iterator[Found]:
        marker = None if self.markers is None else folder / self.markers.marker_of(entry.name)
        if marker is not None and not marker.is_file():
            return
        try:
            if not entry.is_file(follow_symlinks=False):
                return
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # taken by another process since the folder was read
            return
        yield Found(folder / entry.name, relative, seen.st_size, seen.st_mtime_ns, seen.st_ino, marker)

    def _is_work(self, relative: str) -> bool:
        return any(re.fullmatch(pattern, relative) for pattern in self.work)


def work_pattern(folder: str) -> str:
    """The pattern of a work folder's relative path: `archive/{date}` is any of the folders of that shape."""
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    return re.escape("/".join(parts)).replace(re.escape(DATE), r"\d{4}-\d\d-\d\d")


def _visible(folder: Path, *, must_exist: bool) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        if must_exist:
            raise
        return []  # a folder that was removed while its siblings were read
