"""The reference is made from the code: `make reference` writes it anew."""

import sys
from pathlib import Path

import pytest

from routekit.check import check
from routekit.flow import Flow
from routekit.plugins import Catalog
from routekit.reference import Entry, describe

ROOT = Path(__file__).parents[2]
CATALOG = Catalog()


@pytest.fixture(scope="module")
def wanted() -> dict[str, str]:
    """The pages as they should be."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from reference import pages  # pyright: ignore
    finally:
        sys.path.remove(str(ROOT / "tools"))
    return pages()


def test_the_reference_is_that_of_the_code(wanted: dict[str, str]) -> None:
    """Each scheme has its page, and no page has another option, default or meaning than the code."""
    folder = ROOT / "docs" / "reference"
    assert sorted(path.name for path in folder.iterdir()) == sorted(wanted)
    stale = [name for name, text in wanted.items() if (folder / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run: make reference"


def examples() -> list[tuple[str, Entry]]:
    """All entries that have an example."""
    names = [*CATALOG.schemes(), *(f"codec.{name}" for name in CATALOG.codecs())]
    found = [(f"{name}-{entry.kind}", entry) for name in names for entry in describe(name, CATALOG)]
    return [(title, entry) for title, entry in found if entry.example]


@pytest.mark.parametrize("entry", [entry for _, entry in examples()], ids=[title for title, _ in examples()])
def test_check_finds_nothing_wrong_with_an_example(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The routes of an example are right, and it does something by what it is an example of."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "example"}
    exec(compile(entry.example, "example", "exec", dont_inherit=True), namespace)
    flows = {name: value for name, value in namespace.items() if isinstance(value, Flow)}
    problems = check([flow.route(name) for name, flow in flows.items()], CATALOG)
    assert [str(problem) for problem in problems] == []
    assert entry.name.removeprefix("codec.") in entry.example
