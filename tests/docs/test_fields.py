"""The tables of connectors' fields in the documentation are those of the code: this file, run, writes them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from routekit_connectors import Field, HttpRemote, bottlecrm, roundup

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if "<!-- fields:" in path.read_text(encoding="utf-8")]
SYSTEMS = {"bottlecrm": bottlecrm, "roundup": roundup}

_TABLE = re.compile(r"(<!-- fields: (\w+)\.(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_fields_of_the_page_are_those_of_the_code(path: Path) -> None:
    """No field is missing from a page, and none is said to be written that can only be read."""
    text = path.read_text(encoding="utf-8")
    assert text == with_fields(text)


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_object_has_its_table(system: str) -> None:
    """What the module offers is on its page."""
    remotes = {
        name
        for name, made in vars(SYSTEMS[system]).items()
        if getattr(made, "__annotations__", {}).get("return") is HttpRemote and name[0] != "_"
    }
    assert remotes == {found[3] for found in _TABLE.finditer((DOCS / "connectors" / f"{system}.md").read_text())}


def with_fields(text: str) -> str:
    """The page with its tables written anew."""
    return _TABLE.sub(lambda found: f"{found[1]}{table(found[2], found[3])}\n{found[4]}", text)


def table(system: str, kind: str) -> str:
    """The fields of one kind of object."""
    remote: HttpRemote = getattr(SYSTEMS[system], kind)()
    head = f"| field | in {system.title()} | |\n|---|---|---|"
    return "\n".join([head, *(line(field) for field in remote.profile.fields)])


def line(field: Field) -> str:
    return f"| `{field.name}` | `{field.place}` | {'; '.join(said(field))} |"


def said(field: Field) -> Iterator[str]:
    if not field.writable:
        yield "only read"
    if field.says:
        yield field.says


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_fields(page.read_text(encoding="utf-8")), encoding="utf-8")
