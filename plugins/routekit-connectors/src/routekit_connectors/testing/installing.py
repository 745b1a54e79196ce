"""Installs the real systems that tests talk to: `python -m routekit_connectors.testing.installing`.

Each gets an environment of its own beside ours, in `.venv/real`, and a template of its data. What is there already
costs nothing. What cannot be installed is said, and keeps nothing else away: the tests that need it say it again.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which

from . import BottleCRM, Roundup, Tryton
from .servers import RealServer, install, installed, template, usable

_KINDS: tuple[type[RealServer], ...] = (BottleCRM, Tryton, Roundup)  # the one that takes longest goes first


def main() -> int:
    """All three, at the same time, and a line for each that was not there; 1 if one of them cannot be had."""
    with ThreadPoolExecutor(len(_KINDS)) as workers:
        wrong = [line for line in workers.map(_problem, _KINDS) if line]
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)  # noqa: T201  # it is a program
    return 1 if wrong else 0


def _problem(kind: type[RealServer]) -> str | None:
    """Install one, and say what is in the way, if anything is."""
    try:
        if not installed(kind):
            python = next((found for found in _pythons() if usable(found, kind.python)), None)
            if python is None:
                version = ".".join(map(str, kind.python))
                return f"{kind.title} needs Python {version} or newer, which is not there: the tests on it will say so."
            install(kind, python)
        if reason := kind.missing():
            return reason
        template(kind)
    except (RuntimeError, OSError) as error:
        return f"Could not install {kind.title}: {error}"
    return None


def _pythons() -> Iterator[str]:
    """This one first; then those on the path, those of pyenv, and those that Debian has beside its own."""
    yield str(Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}"))
    for minor in (12, 13, 14):
        if found := which(f"python3.{minor}"):
            yield found
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    yield from (str(found) for found in sorted(versions.glob("3.1[2-9].*/bin/python")))


if __name__ == "__main__":
    sys.exit(main())
