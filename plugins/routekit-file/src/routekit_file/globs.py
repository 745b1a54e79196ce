"""Globs: comma separated patterns of file names."""

import re
from fnmatch import translate


class Globs:
    """Comma separated globs; one with a `/` is held against the relative path, the others against the name."""

    def __init__(self, text: str, *, ignore_case: bool = False) -> None:
        flags = re.IGNORECASE if ignore_case else re.NOFLAG
        globs = [glob.strip() for glob in text.split(",") if glob.strip()]
        self._names = [re.compile(translate(glob), flags) for glob in globs if "/" not in glob]
        self._paths = [re.compile(translate(glob), flags) for glob in globs if "/" in glob]
        self._all = "*" in globs

    def match(self, relative: str) -> bool:
        """Whether any of them fits; `*` also fits `/`.

        >>> Globs("*.csv, 2026/*").match("2026/a.txt"), Globs("*.csv").match("A.CSV")
        (True, False)
        >>> Globs("*.csv", ignore_case=True).match("A.CSV")
        True
        """
        if self._all:
            return True
        name = relative.rpartition("/")[2]
        return any(glob.match(name) for glob in self._names) or any(glob.match(relative) for glob in self._paths)
