"""From templates to the files of a new distribution, project or route.

A template is the file itself, but for words in guillemets, «scheme», and lines that begin with `#:`: what follows such
a line is there if the plan has one of the traits that it names; `#: all` is for every plan.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from ..errors import BadOption, RouteKitError
from .beginning import Beginning
from .plan import ENDPOINTS, KINDS, Plan

_MARK = "#:"
_ROUTES = "\n## Routes\n"
_WORD = re.compile(r"«(\w+)»")

_ALL: Final[frozenset[str]] = frozenset()
_MODULES: Final = tuple((kind, "watching" if kind == "hook" else kind) for kind in KINDS)

TEMPLATES: Final[tuple[tuple[frozenset[str], str, str], ...]] = (
    (_ALL, "pyproject.toml", "pyproject.toml"),
    (_ALL, "README.md", "README.md"),
    (_ALL, "CHANGELOG.md", "CHANGELOG.md"),
    (_ALL, "licenses/«license»", "LICENSE"),
    (_ALL, "gitignore", ".gitignore"),
    (_ALL, "ci.yml", ".github/workflows/ci.yml"),
    (_ALL, "docs.md", "docs/«scheme».md"),
    (_ALL, "init.py", "src/«package»/__init__.py"),
    (_ALL, "typed", "src/«package»/py.typed"),
    (ENDPOINTS, "wire.py", "src/«package»/wire.py"),
    (ENDPOINTS, "client.py", "src/«package»/client.py"),
    (ENDPOINTS, "testing.py", "src/«package»/testing.py"),
    *((frozenset({kind}), f"{module}.py", f"src/«package»/{module}.py") for kind, module in _MODULES),
    (ENDPOINTS | {"codec"}, "tests/plugin.py", "tests/test_plugin.py"),
    *((frozenset({kind}), f"tests/{module}.py", f"tests/test_{module}.py") for kind, module in _MODULES),
)
"""For plans with one of these traits, or for all: a template, and the file that is made of it."""


def rendered(plan: Plan, *, year: int, version: str) -> dict[str, str]:
    """The files of the distribution: their paths in its folder, and their texts."""
    return _made("plugin", TEMPLATES, plan.traits, plan.words(year=year, version=version))


ROUTE: Final[tuple[tuple[frozenset[str], str, str], ...]] = (
    (_ALL, "route.py", "routes/«module».py"),
    (_ALL, "test.py", "tests/test_«module».py"),
)

PROJECT: Final[tuple[tuple[frozenset[str], str, str], ...]] = (
    (_ALL, "pyproject.toml", "pyproject.toml"),
    (_ALL, "README.md", "README.md"),
    (_ALL, "gitignore", ".gitignore"),
    (_ALL, "routekit.toml", "routekit.toml"),
    (_ALL, "routekit.dev.toml", "routekit.dev.toml"),
)


def route_files(beginning: Beginning) -> dict[str, str]:
    """The module of a route and its test, by their paths in a project."""
    return _made("route", ROUTE, beginning.traits, beginning.words())


def project_files(name: str, beginning: Beginning, *, version: str) -> dict[str, str]:
    """The files of a project with one route; `version` is the oldest of RouteKit that will do."""
    words = {**beginning.words(), "distribution": name, "version": version}
    return {**_made("project", PROJECT, beginning.traits, words), **route_files(beginning)}


def _made(
    kind: str, templates: Iterable[tuple[frozenset[str], str, str]], traits: frozenset[str], words: Mapping[str, str]
) -> dict[str, str]:
    return {
        _filled(path, words): _filled(_sections(_template(kind, _filled(template, words)), traits), words)
        for asked, template, path in templates
        if not asked or asked & traits
    }


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files into a folder that is new or empty.

    Raises BadOption if there is something in it, RouteKitError for what the system refuses.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "is not empty" if folder.is_dir() else "is a file"
            raise BadOption(f"{folder} {what}", hint="name another one: --folder PATH")
    except OSError as error:
        raise RouteKitError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    _write_all(folder, texts)


def add(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files that are not there yet into a folder.

    Raises BadOption if one of them is, before anything is written; RouteKitError for what the system refuses.
    """
    for name in texts:
        if (folder / name).exists():
            raise BadOption(f"{folder / name} is there already", hint="choose another name, or move it away")
    _write_all(folder, texts)


def listed(folder: Path, line: str) -> bool:
    """Add a line to the section `## Routes` of a project's README; False if there is none."""
    readme = folder / "README.md"
    try:
        text = readme.read_text(encoding="utf-8")
        before, heading, rest = text.partition(_ROUTES)
        if heading:
            section, following, after = rest.partition("\n## ")
            readme.write_text(
                f"{before}{heading}{section.rstrip()}\n{line}\n{following}{after}", encoding="utf-8", newline="\n"
            )
    except (OSError, UnicodeDecodeError):
        return False
    return bool(heading)


def _write_all(folder: Path, texts: Mapping[str, str]) -> None:
    try:
        for name, text in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", newline="\n") as opened:
                opened.write(text)
    except OSError as error:
        raise RouteKitError(f"cannot write {error.filename or folder}: {error.strerror}") from error


def _template(kind: str, name: str) -> str:
    return files("routekit.scaffold").joinpath(kind, f"{name}.txt").read_text(encoding="utf-8")


def _sections(text: str, traits: frozenset[str]) -> str:
    """The lines for these traits."""
    kept: list[str] = []
    wanted = True
    for line in text.splitlines(keepends=True):
        if line.startswith(_MARK):
            named = set(line.removeprefix(_MARK).split())
            wanted = "all" in named or not named.isdisjoint(traits)
        elif wanted:
            kept.append(line)
    return "".join(kept)


def _filled(text: str, words: Mapping[str, str]) -> str:
    return _WORD.sub(lambda found: words[found[1]], text)
