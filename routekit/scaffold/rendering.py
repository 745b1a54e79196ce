"""From templates to the files of a new distribution.

A template is the file itself, but for words in guillemets, «scheme», and lines that begin with `#:`: what follows such
a line is there if the plan has one of the traits that it names; `#: all` is for every plan.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from ..errors import BadOption, RouteKitError
from .plan import ENDPOINTS, KINDS, Plan

_MARK = "#:"
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
    words = plan.words(year=year, version=version)
    return {
        _filled(path, words): _filled(_sections(_template(_filled(template, words)), plan.traits), words)
        for traits, template, path in TEMPLATES
        if not traits or traits & plan.traits
    }


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files into a folder that is new or empty.

    Raises BadOption if there is something in it, RouteKitError for what the system refuses.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "is not empty" if folder.is_dir() else "is a file"
            raise BadOption(f"{folder} {what}", hint="name another one: --folder PATH")
        for name, text in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise RouteKitError(f"cannot write {error.filename or folder}: {error.strerror}") from error


def _template(name: str) -> str:
    return files("routekit.scaffold").joinpath("plugin", f"{name}.txt").read_text(encoding="utf-8")


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
