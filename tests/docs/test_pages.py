"""Every snippet of the documentation runs: Python blocks, settings, and sessions of the command line.

Blocks of a page share a namespace and a folder, in the order of the page. A block whose first line is a comment with a
file's name is written there, and run too if it is Python.
"""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from sybil import Document, Example
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from routekit.plugins import Catalog

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LANGUAGES = {"python", "console", "toml", "ini", "text", "mermaid"}

_FILE = re.compile(r"# (\S+\.(?:py|toml))$")
_FENCE = re.compile(r"^```(\w*)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(#[^)]*)?\)")
_python = PythonEvaluator()
_COMMANDS = {
    "pip": "from pip._internal.cli.main import main",
    "pytest": "from pytest import console_main",
    "routekit": "from routekit.cli import main",
}
"""Where the commands of an environment begin."""


def page(path: Path) -> str:
    """How a page is called in the list of tests."""
    return path.relative_to(DOCS).with_suffix("").as_posix()


@pytest.mark.timeout(300)  # a page may run whole test suites
@pytest.mark.parametrize("path", PAGES, ids=page)
def test_every_snippet_of_the_page_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page shows happens when a reader types it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for name in [name for name in os.environ if name.startswith("ROUTEKIT_")]:
        monkeypatch.delenv(name)
    before = set(sys.modules)
    parsers = [CodeBlockParser("python", python), CodeBlockParser("console", console), CodeBlockParser("toml", toml)]
    document = Document.parse(str(path), *parsers)
    document.namespace |= {"__name__": "page", "checkout": checkout(tmp_path, monkeypatch), "needs": needs}
    document.namespace["apart"] = apart(tmp_path, monkeypatch)
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        for name in set(sys.modules) - before:  # modules that a page has written
            if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_every_block_is_of_a_known_language(path: Path) -> None:
    """No snippet escapes from being run by a fence that nobody knows."""
    fences = _FENCE.findall(path.read_text(encoding="utf-8"))
    assert set(fences[::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_every_link_leads_to_a_file(path: Path) -> None:
    """A link within the repository leads to something that is there."""
    links = [found[1] for found in _LINK.finditer(path.read_text(encoding="utf-8"))]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_page_is_on_the_map() -> None:
    """The index names every page, or the index of its folder does; that of the patterns each of theirs once."""
    index, patterns = links_of(DOCS / "index.md"), links_of(DOCS / "patterns" / "index.md")
    folders = ("connectors", "mapping", "patterns", "plugins", "reference", "routes", "sync")
    maps = [DOCS / name / "index.md" for name in folders]
    assert set(maps) <= set(index)
    named = [*index, *(path for map_ in maps for path in links_of(map_) if path.parent == map_.parent)]
    assert {path for path in PAGES if path != DOCS / "index.md"} <= set(named)
    assert len(patterns) == len(set(patterns))


def links_of(page: Path) -> list[Path]:
    """The files that a page leads to, in its order."""
    return [(page.parent / found[1]).resolve() for found in _LINK.finditer(page.read_text(encoding="utf-8"))]


def python(example: Example) -> None:
    """Run a block of Python, and write it if it names a file."""
    _write(example)
    _python(example)


def toml(example: Example) -> None:
    """Read a block of settings, and write it if it names a file."""
    _write(example)
    tomllib.loads(example.parsed)


def _write(example: Example) -> None:
    named = _FILE.match(example.parsed.partition("\n")[0])
    if named is None:
        return
    file = Path(named[1])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(example.parsed, encoding="utf-8")


def console(example: Example) -> None:
    """Run the commands of a session; every line that it shows must be printed, in that order."""
    for block in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = block.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240
        )
        where = f"{example.path}:{example.line}: $ {command}\n{done.stdout}"
        assert done.returncode == 0, where
        printed = iter(_spaced(done.stdout).splitlines())
        for line in _spaced(expected).splitlines():
            pattern = re.compile(".*".join(re.escape(piece) for piece in re.split(r" ?\.\.\. ?", line)))
            assert not line or any(pattern.fullmatch(found) for found in printed), f"not printed: {line}\n{where}"


def _spaced(text: str) -> str:
    """Tables may be wider or narrower than a page shows them."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What follows on the page runs in a copy of the repository's routes."""

    def into() -> None:
        home = folder / "checkout"
        copytree(ROOT / "routes", home / "routes", ignore=lambda *_: ["__pycache__"])
        copytree(ROOT / "examples", home / "examples", ignore=lambda *_: ["__pycache__"])
        (home / "routekit.toml").write_bytes((ROOT / "routekit.toml").read_bytes())
        monkeypatch.chdir(home)

    return into


def apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What follows on the page is installed into an environment of its own, which has what that of the tests has."""

    def into() -> None:
        home = folder / ".apart"
        venv.create(home)
        own, ours = next(home.glob("lib/*/site-packages")), sysconfig.get_path("purelib")
        (own / "beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
        for name, main in _COMMANDS.items():
            script = home / "bin" / name
            script.write_text(f"#!{home}/bin/python\nimport sys\n{main} as main\nsys.exit(main())\n", encoding="utf-8")
            script.chmod(0o755)
        monkeypatch.setenv("PATH", str(home / "bin"), prepend=os.pathsep)
        monkeypatch.setenv("PIP_NO_INDEX", "1")  # all that is needed is there
        monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip's way to say: build with what is there
        monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    return into


def needs(*schemes: Any) -> None:
    """The rest of the page needs plugins."""
    missing = set(schemes) - set(Catalog().schemes())
    if missing:
        pytest.skip(f"the rest of the page needs the plugins for {', '.join(sorted(missing))}")
