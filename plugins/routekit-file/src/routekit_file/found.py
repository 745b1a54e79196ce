"""Found: one file as the scan saw it, and whether it still is what it was."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file below the directory of a source.

    `folder` is the one that it is in, and `relative` its path below the directory, with `/`; `size` is in bytes;
    `marker` is the done file that says it is complete, if the source wants one.
    """

    folder: Path
    relative: str
    size: int
    mtime_ns: int
    inode: int
    marker: Path | None = None

    @property
    def path(self) -> Path:
        """The file itself; made when it is asked for, since most of those that a scan meets are not taken."""
        return self.folder / self.relative.rpartition("/")[2]

    @property
    def label(self) -> str:
        r"""The relative path as text for headers, ids and marks: bytes that are not UTF-8 are shown as `\xff`."""
        return os.fsencode(self.relative).decode("utf-8", "backslashreplace")

    @property
    def signature(self) -> str:
        """What changes when the content does: size and time of modification."""
        return f"{self.size}:{self.mtime_ns}"

    @property
    def id(self) -> str:
        """The id of the file's message, the same whenever the unchanged file is taken again."""
        return f"{self.label}:{self.signature}"

    def headers(self) -> dict[str, Any]:
        """What a route may know about the file; `file.modified` is in seconds since 1970."""
        label = self.label
        return {
            "file.name": label.rpartition("/")[2],
            "file.path": label,
            "file.size": self.size,
            "file.modified": self.mtime_ns / 1e9,
        }

    def unchanged(self) -> bool:
        """Whether the file is still there, and still the same one with the same content."""
        try:
            now = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        same = (now.st_ino, now.st_size, now.st_mtime_ns) == (self.inode, self.size, self.mtime_ns)
        return same and stat.S_ISREG(now.st_mode)
