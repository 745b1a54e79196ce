"""Destination: where a file goes once it was handled or refused, by a pattern."""

import re
from datetime import datetime
from pathlib import Path, PurePosixPath

from .found import Found

_OF_THE_DAY = ("{date}", "{time}")
_OF_THE_FILE = ("{name}", "{stem}", "{suffix}", "{folder}")

PLACEHOLDERS = (*_OF_THE_DAY, *_OF_THE_FILE)
"""`{folder}` is the folder that the file was found in, below the directory; times are in UTC."""

_PLACEHOLDER = re.compile("|".join(re.escape(one) for one in PLACEHOLDERS))
_SHAPES = {"{date}": r"\d{4}-\d\d-\d\d", "{time}": r"\d{8}T\d{6}"}


class Destination:
    """A pattern such as `archive/{date}`, a folder, or `archive/{stem}-{time}{suffix}`, the whole path of the file.

    It is a whole path if it names the file in it. Relative ones are inside the directory of the source.
    """

    def __init__(self, root: Path, pattern: str) -> None:
        self._root = root
        self._pattern = pattern
        self._names_the_file = any(one in pattern for one in _OF_THE_FILE)

    def __str__(self) -> str:
        return self._pattern

    def path_of(self, found: Found, now: datetime) -> Path:
        """Where that file goes at that time."""
        path = self._root / _PLACEHOLDER.sub(lambda part: _value(part[0], found, now), self._pattern)
        return path if self._names_the_file else path / found.relative

    @property
    def base(self) -> Path:
        """The folder that is the same for all files and days."""
        before = _PLACEHOLDER.split(self._pattern, maxsplit=1)[0]
        return self._root / (before if before == self._pattern else before[: before.rfind("/") + 1])

    def shape(self) -> re.Pattern[str]:
        """What the relative path of its folder looks like to a scan, also if it was given as an absolute path.

        It is empty for the directory itself.
        """
        path, root = Path(self._pattern), self._root.absolute()
        inside = str(path.relative_to(root)) if path.is_absolute() and path.is_relative_to(root) else self._pattern
        parts: list[str] = []
        for part in inside.split("/"):
            if any(one in part for one in _OF_THE_FILE):
                break
            if part not in ("", "."):
                parts.append(part)
        shape = re.escape("/".join(parts))
        for placeholder, digits in _SHAPES.items():
            shape = shape.replace(re.escape(placeholder), digits)
        return re.compile(shape)


def destination_pattern(pattern: str) -> str:
    """The pattern as it is; raises ValueError for one that leads back into the directory, or out of it by `..`."""
    if any(brace in _PLACEHOLDER.sub("", pattern) for brace in "{}"):
        raise ValueError(f"the placeholders are {', '.join(PLACEHOLDERS)}")
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("'..' is not followed; write an absolute path")
    if parts and not pattern.startswith("/") and any(one in parts[0] for one in _OF_THE_FILE):
        raise ValueError(f"it must begin with a folder, such as done/{pattern}: else what is done is found again")
    if any(one in pattern for one in _OF_THE_FILE) and "{name}" not in parts[-1] and "{stem}" not in parts[-1]:
        raise ValueError("its last part is the name of the file: {name}, or {stem} with something around it")
    return pattern


def _value(placeholder: str, found: Found, now: datetime) -> str:
    path = PurePosixPath(found.relative)
    match placeholder:
        case "{date}":
            return now.date().isoformat()
        case "{time}":
            return f"{now:%Y%m%dT%H%M%S}"
        case "{name}":
            return path.name
        case "{stem}":
            return path.stem
        case "{suffix}":
            return path.suffix
        case _:
            return "" if str(path.parent) == "." else str(path.parent)
