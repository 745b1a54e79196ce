"""The tables of options in the documentation are those of the code: `python tests/docs/test_tables.py` writes them."""

import re
from pathlib import Path

import pytest

from routekit.access import Access
from routekit.pages import table
from routekit.plugins import Catalog
from routekit.reference import Entry, describe, table_entry
from routekit.retention import Retention
from routekit.settings import Options, Privacy

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if "<!-- options:" in path.read_text(encoding="utf-8")]

_TABLE = re.compile(r"(<!-- options: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_tables_of_the_page_are_those_of_the_code(path: Path) -> None:
    """No option is missing from a page, and none has another default or meaning than in the code."""
    text = path.read_text(encoding="utf-8")
    assert text == with_tables(text)


def with_tables(text: str) -> str:
    """The page with its tables written anew."""
    return _TABLE.sub(lambda found: f"{found[1]}{tables(found[2])}\n{found[3]}", text)


def tables(name: str) -> str:
    """One table for each entry of that name; sources and sinks of a scheme have options of their own."""
    settings = {"routekit": Options, "retention": Retention, "privacy": Privacy, "access": Access}
    if name in settings:
        return table(table_entry(name, settings[name]).options)
    entries = [entry for entry in describe(name, Catalog()) if entry.kind != "step"]
    return "\n\n".join(f"{titled(entry, many=len(entries) > 1)}{table(entry.options)}" for entry in entries)


def titled(entry: Entry, *, many: bool) -> str:
    """The heading of a table, where a name has several."""
    return f"As a {entry.kind}:\n\n" if many else ""


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
