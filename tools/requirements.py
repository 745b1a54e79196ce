"""Print what pip has to install, for `serve`, `test` or `bench`: every distribution of this repository, by glob.

A new plugin needs no edit here. `serve` takes the distributions as they are, with the extra `serve` of those that have
one, and the group `routes`; `test` takes all extras and the groups `dev` and `test` as well, so that a plugin names
what only its own tests need in its own file; `bench` takes the group `peers` besides, other people's work that ours is
measured against.
`gone` prints the distributions that are still installed from a folder that is no longer there.
"""

import json
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
GROUPS = {"serve": ("routes",), "test": ("routes", "dev", "test"), "bench": ("routes", "dev", "test", "peers")}


def main(want: str) -> None:
    """Print one requirement a line."""
    print(*(gone() if want == "gone" else requirements(want)), sep="\n")


def requirements(want: str) -> list[str]:
    """Editable installs first, then the requirements of the groups."""
    editables: list[str] = []
    others: list[str] = []
    for folder in folders():
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        editables.append(f"-e {_path(folder)}{_extras(project, only='serve' if want == 'serve' else None)}")
        groups = project.get("dependency-groups", {})
        others += [requirement for group in GROUPS[want] for requirement in groups.get(group, ())]
    return [*editables, *sorted(set(others))]


def folders() -> list[Path]:
    """The folder of each distribution, the core's first."""
    return [ROOT, *sorted(project.parent for project in ROOT.glob("plugins/*/pyproject.toml"))]


def gone() -> list[str]:
    """Names of distributions whose folder was removed: their entry points would name modules that do not exist."""
    found: list[str] = []
    for distribution in distributions():
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        folder = unquote(urlsplit(str(origin.get("url", ""))).path)
        if origin.get("dir_info", {}).get("editable") and not Path(folder, "pyproject.toml").exists():
            found.append(distribution.name)
    return found


def _path(folder: Path) -> str:
    return f"./{folder.relative_to(ROOT).as_posix()}" if folder != ROOT else "."


def _extras(project: dict[str, Any], only: str | None) -> str:
    """All extras of a distribution, or one of them, if it has that."""
    extras = [one for one in sorted(project["project"].get("optional-dependencies", {})) if only in (None, one)]
    return f"[{','.join(extras)}]" if extras else ""


if __name__ == "__main__":
    main(sys.argv[1])
