"""Renewing: the modules of a folder that have changed are imported anew, with those that import them.

Each becomes a module object of its own, so that no class of before is left in it. Which modules import which is read
from their text. One that cannot be imported stays what it was for those who have it.
"""

import ast
import linecache
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import invalidate_caches
from importlib.util import cache_from_source
from pathlib import Path
from types import ModuleType

from .loader import Loaded, load, modules_in, package_of, parts_of
from .problem import Problem
from .route import Route
from .syntax import tree_of


@dataclass(frozen=True)
class Renewed:
    """What a folder gives now; `failed` are the modules that could not be read, named as in the names of routes."""

    routes: Sequence[Route]
    problems: Sequence[Problem]
    failed: Collection[str]


class Renewing:
    """The modules of a folder, or of the folder of one module, as they were when they were last read.

    Make it before they are read for the first time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self.folder = self._path if self._path.is_dir() else self._path.parent
        self._digests = self._read()
        self._failed: Collection[str] = ()

    def renew(self) -> Renewed | None:
        """Import anew what has changed, and what could not be read the last time; None if there is nothing of both.

        A module does what it likes when it is imported: it may take long. Raises LoadError if all modules are gone.
        """
        digests = self._read()
        changed = {file for file in {*digests, *self._digests} if digests.get(file) != self._digests.get(file)}
        self._digests = digests
        if not changed and not self._failed:
            return None
        package = package_of(self.folder)
        here = _here(self.folder)
        stale = _stale(here, changed | {self._file(name) for name in self._failed})
        before = {name: sys.modules.pop(name) for name in stale}
        _forget(here[name] for name in stale)
        try:
            loaded = load(self._path)
            self._failed = self._unread(loaded, package)
        finally:
            _put_back(before)
        return Renewed(loaded.routes, loaded.problems, self._failed)

    def digest(self, file: str) -> str:
        """What a file said when it was last read; empty for one that is not of this folder."""
        return self._digests.get(Path(file), "")

    def _read(self) -> dict[Path, str]:
        """All Python files, and what they say."""
        found: dict[Path, str] = {}
        for file in sorted(self.folder.rglob("*.py")):
            if not any(part.startswith(".") for part in file.relative_to(self.folder).parts):
                try:
                    found[file] = sha256(file.read_bytes()).hexdigest()
                except OSError:  # it has just gone, or is being replaced
                    continue
        return found

    def _file(self, name: str) -> Path:
        """The file of a module, which may be a package."""
        inner = self.folder.joinpath(*filter(None, name.split(".")))
        return inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")

    def _unread(self, loaded: Loaded, package: str) -> Collection[str]:
        files = [self._path] if self._path.is_file() else list(modules_in(self.folder))
        names = {".".join(parts_of(file, self.folder)) for file in files}
        wrong = {problem.route.rpartition(".")[0] for problem in loaded.problems if problem.route}
        if package not in sys.modules:  # the folder's own __init__ cannot be imported: nothing was read
            return names
        return wrong | {name for name in names if f"{package}.{name}".rstrip(".") not in sys.modules}


def _here(folder: Path) -> dict[str, Path]:
    """The modules below a folder that are imported, whatever they are called, with their files."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: Path(file) for name, file in files.items() if file and Path(file).is_relative_to(folder)}


def _stale(here: Mapping[str, Path], changed: Collection[Path]) -> set[str]:
    """The modules whose files have changed, and all that import one of them, however far away."""
    stale = {name for name, file in here.items() if file in changed}
    imports = {name: set(_imported(name, file)) for name, file in here.items()}
    while more := {name for name, names in imports.items() if name not in stale and not stale.isdisjoint(names)}:
        stale |= more
    return stale


def _imported(name: str, file: Path) -> Iterator[str]:
    """The names that a module imports, anywhere in its text: of modules, or of what is in them."""
    try:
        tree = tree_of(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # it has changed, or is gone: it is asked for nothing more
        return
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            outer = package.split(".")
            base = outer[: len(outer) - node.level + 1] if node.level else []
            whole = ".".join([*base, *filter(None, [node.module])])
            yield whole
            yield from (f"{whole}.{alias.name}" for alias in node.names)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _forget(files: Iterator[Path]) -> None:
    """Let nothing be taken from what Python remembers of these files.

    A compiled module counts as fresh if size and second of its source are the same; so it would be kept after a quick
    edit.
    """
    for file in files:
        Path(cache_from_source(str(file))).unlink(missing_ok=True)
        linecache.checkcache(str(file))
    invalidate_caches()


def _put_back(before: Mapping[str, ModuleType]) -> None:
    """What could not be imported anew is what it was, for those who import it while they run; unless it is gone."""
    for name, module in before.items():
        if name not in sys.modules and Path(str(module.__file__)).exists():
            sys.modules[name] = module
