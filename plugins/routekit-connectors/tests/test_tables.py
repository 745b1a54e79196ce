"""The tables of docs/connectors are those of the connectors; run as a program, this writes them."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from routekit.remotes import Abilities, Creating, Feed
from routekit_connectors import Field, HttpRemote, bottlecrm, roundup, tryton
from routekit_connectors.tryton import TrytonRemote

DOCS = Path(__file__).parents[3] / "docs" / "connectors"
PAGES = sorted(DOCS.glob("*.md"))
REMOTES: Sequence[tuple[str, HttpRemote | TrytonRemote]] = [
    *((f"tryton.{name}", getattr(tryton, name)("erp")) for name in ("parties", "sales", "products", "employees")),
    *(
        (f"bottlecrm.{name}", getattr(bottlecrm, name)())
        for name in ("contacts", "accounts", "leads", "deals", "cases")
    ),
    *((f"roundup.{name}", getattr(roundup, name)()) for name in ("issues", "messages", "users")),
]
"""Each by what makes it; all that there are."""

_TABLE = re.compile(r"(<!-- (guarantees|fields: \S+) -->\n).*?(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_tables_of_the_page_are_those_of_the_code(path: Path) -> None:
    """No page says of a system what its connector does not say."""
    text = path.read_text(encoding="utf-8")
    assert text == with_tables(text)


def test_every_connector_is_in_the_tables() -> None:
    """Each remote that a connector makes has its line among the guarantees, and its fields on a page."""
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert [name for name, _ in REMOTES if f"| `{name}` |" not in text] == []
    assert [name for name, _ in REMOTES if f"<!-- fields: {name} -->" not in text] == []


@pytest.mark.parametrize(("name", "remote"), REMOTES, ids=lambda one: one if isinstance(one, str) else "")
def test_what_is_claimed_is_a_field(name: str, remote: HttpRemote | TrytonRemote) -> None:
    """What is searched by, archived by or kept of ours is a field of the connector's records."""
    abilities, names = remote.abilities, {field.name for field in remote.fields}
    claimed = {*abilities.findable, *(abilities.archive or ()), *filter(None, [abilities.external_key])}
    assert claimed <= names
    assert len(names) == len(remote.fields)


def with_tables(text: str) -> str:
    """The page with its tables written anew."""
    return _TABLE.sub(lambda found: f"{found[1]}{table(found[2])}\n{found[3]}", text)


def table(name: str) -> str:
    """The table of that name."""
    if name == "guarantees":
        head = [
            "connector",
            "changes",
            "deletions",
            "a create sent twice",
            "versions",
            "found by",
            "out of use",
            "seen",
        ]
        return rows([head, *([f"`{maker}`", *guarantees(remote.abilities)] for maker, remote in REMOTES)])
    maker = name.removeprefix("fields: ")
    remote = dict(REMOTES)[maker]
    head = ["field", f"in {maker.partition('.')[0].title()}", ""]
    return rows(
        [head, *([f"`{field.name}`", f"`{field.place.replace('./', '/')}`", note(field)] for field in remote.fields)]
    )


def guarantees(abilities: Abilities) -> Sequence[str]:
    """What one system gives, in words."""
    overlap = f"by time, within {abilities.overlap:g} s"
    changes = {Feed.STAMP: overlap, Feed.TOKEN: "by token", Feed.NONE: "all is compared"}[abilities.feed]
    creating = {
        Creating.NATURAL: "changes the first one",
        Creating.REPLAY: "the first answer again",
        Creating.POINTER: "refused, naming the first one",
        Creating.REFUSE: "refused",
        Creating.NONE: "two",
    }[abilities.creating]
    found = dict.fromkeys([*filter(None, [abilities.external_key]), *abilities.findable])
    archive = ", ".join(f"`{field}`: {value!r}" for field, value in (abilities.archive or {}).items())
    return [
        changes,
        "told" if abilities.tombstones else "not told",
        creating if abilities.can_create else "only read",
        "checked" if abilities.compare_and_set else "only read" if not abilities.can_update else "not checked",
        ", ".join(f"`{field}`" for field in found) or "nothing",
        archive or "nothing",
        str(abilities.verified or "never"),
    ]


def note(field: Field) -> str:
    """What else is to be said of a field."""
    how = "only read" if not field.writable else "written only when it is made" if field.fixed else ""
    return "; ".join(filter(None, [how, field.says]))


def rows(cells: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    head, *body = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([head.replace("|  |", "| |"), "|---" * len(cells[0]) + "|", *body])


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
