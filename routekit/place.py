"""Where in the author's files a route or a step was written."""

import sys
from dataclasses import dataclass
from functools import lru_cache
from os import sep
from pathlib import Path

_INSIDE = str(Path(__file__).parent) + sep


@dataclass(frozen=True, slots=True)
class Place:
    """A line in a file; prints as `routes/leads.py:12`, relative to the working directory where it can."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{_shown(self.file)}:{self.line}"


@lru_cache(maxsize=1024)
def _shown(file: str) -> str:
    """A file as people name it; looked up once, since each dead letter says where its step was written."""
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


NOWHERE = Place("?", 0)


def here() -> Place:
    """The place outside `routekit` from which the language was called."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # the only way to a caller's line
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)  # of a call in a chain: the line of the method's name
