"""Write the pages of docs/reference from the code: one for each scheme of this repository, and one for all codecs.

`make reference` writes them anew; a test holds that they are up to date.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from requirements import ROOT, folders

from routekit.pages import page
from routekit.plugins import Catalog
from routekit.reference import Entry, describe

REFERENCE = ROOT / "docs" / "reference"

MADE = "<!-- Made from the code by `make reference`: change the code, not this page. -->"


@dataclass(frozen=True)
class Origin:
    """The distribution that something comes from, and its folder."""

    name: str
    folder: Path

    @property
    def lead(self) -> str:
        """How to have it, and where its guide is."""
        if self.folder == ROOT:
            return "Part of the core."
        guide = f"../../{(self.folder / 'README.md').relative_to(ROOT)}"
        return f"A plugin: `pip install {self.name}`; [its guide]({guide})."


def main() -> None:
    """Write what has changed, and remove pages of what is gone."""
    REFERENCE.mkdir(exist_ok=True)
    wanted = pages()
    for path in REFERENCE.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    print(f"{len(wanted)} pages in {REFERENCE}")


def pages() -> dict[str, str]:
    """All pages, by the names of their files."""
    catalog, origins = Catalog(), offered()
    schemes = {name: origin for name, origin in sorted(origins.items()) if "." not in name}
    codecs = {name: origin for name, origin in sorted(origins.items()) if name.startswith("codec.")}
    found = {f"{scheme}.md": _scheme(scheme, origin, catalog) for scheme, origin in schemes.items()}
    found["codecs.md"] = _codecs(codecs, catalog)
    found["index.md"] = _index({scheme: _endpoints(scheme, catalog) for scheme in schemes})
    return found


def offered() -> dict[str, Origin]:
    """What the distributions of this repository offer, by the names of their entry points."""
    found: dict[str, Origin] = {}
    for folder in folders():
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for name in project.get("entry-points", {}).get("routekit", {}):
            found[name] = Origin(project["name"], folder)
    return found


def _scheme(scheme: str, origin: Origin, catalog: Catalog) -> str:
    guide = [origin.lead if origin.folder != ROOT else "Part of the core; [the guide](../endpoints.md)."]
    return page(f"{scheme}:", _endpoints(scheme, catalog), MADE, *guide)


def _endpoints(scheme: str, catalog: Catalog) -> list[Entry]:
    return [entry for entry in describe(scheme, catalog) if entry.kind != "step"]


def _codecs(origins: Mapping[str, Origin], catalog: Catalog) -> str:
    entries = [entry for name in origins for entry in describe(name, catalog)]
    plugins = sorted({origin for origin in origins.values() if origin.folder != ROOT}, key=lambda origin: origin.name)
    lines = [_of_plugin(origin, [name for name, its in origins.items() if its == origin]) for origin in plugins]
    return page("Codecs", entries, MADE, " ".join(["How they are used: [the guide](../codecs.md).", *lines]))


def _of_plugin(origin: Origin, names: Sequence[str]) -> str:
    those = ", ".join(f"`{name.removeprefix('codec.')}`" for name in names)
    return f"{those}: {origin.lead[0].lower()}{origin.lead[1:]}"


def _index(schemes: Mapping[str, Sequence[Entry]]) -> str:
    rows = [
        f"| [{scheme}]({scheme}.md) | {', '.join(entry.kind for entry in entries)} | {_first(entries[0].doc)} |"
        for scheme, entries in schemes.items()
    ]
    head = ["| scheme | as | |", "|---|---|---|"]
    lead = "Every option of every endpoint and codec of this repository. `routekit describe NAME` shows the same."
    more = "[Codecs](codecs.md) are on one page, and each [step](../patterns/index.md) has one of its own."
    return "\n\n".join(["# Reference", MADE, lead, "\n".join([*head, *rows]), more]) + "\n"


def _first(doc: str) -> str:
    """The first sentence."""
    return " ".join(doc.partition("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
