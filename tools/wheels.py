"""Build the wheel of every distribution and use them as a stranger does: in an empty environment, outside the checkout.

The core comes in alone first: it may know nothing of our plugins. Then the plugins come in, and what each promises in
its entry points has to be listed, and explained by `routekit describe`.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from requirements import ROOT, folders


def main() -> None:
    """Fails with the output of the first command that fails."""
    with tempfile.TemporaryDirectory(prefix="routekit-wheels-") as room:
        core, *plugins = built(Path(room, "wheels"))
        venv.create(Path(room, "venv"))
        installed(room, [core])
        promised = {name for folder in folders()[1:] for name in points(folder)}
        known = listed(room) & promised
        if known:
            sys.exit(f"the core alone offers {', '.join(sorted(known))}: these belong to plugins")
        installed(room, plugins)
        missing = {name for folder in folders() for name in points(folder)} - listed(room)
        if missing:
            sys.exit(f"installed, but not in the list of `routekit plugins`: {', '.join(sorted(missing))}")
        for name in sorted(promised):
            if name.startswith("command."):
                routekit(room, name.removeprefix("command."), "--help")
            elif not name.startswith(("store.", "hook.")):  # they have no page of their own
                routekit(room, "describe", name)
        print(f"{1 + len(plugins)} wheels work in an empty environment: {', '.join(sorted(listed(room)))}")


def built(wheels: Path) -> list[Path]:
    """The wheel of each distribution, the core's first."""
    return [wheel(folder, wheels) for folder in folders()]


def wheel(folder: Path, wheels: Path) -> Path:
    """The wheel of one distribution."""
    before = set(wheels.glob("*.whl"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(folder))
    return (set(wheels.glob("*.whl")) - before).pop()


def installed(room: str, wheels: list[Path]) -> None:
    """Into the empty environment, with the tested versions; the wheels may need one another."""
    pip("--python", f"{room}/venv/bin/python", "install", "-c", "constraints.txt", *map(str, wheels))


def points(folder: Path) -> list[str]:
    """What a distribution promises: the names of its entry points."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project.get("entry-points", {}).get("routekit", {}))


def listed(room: str) -> set[str]:
    """What `routekit plugins` lists."""
    return {offer["name"] for offer in json.loads(routekit(room, "plugins", "--json"))}


def routekit(room: str, *arguments: str) -> str:
    """Run the installed command, where no checkout can be imported by accident."""
    return run([f"{room}/venv/bin/routekit", *arguments], room)


def pip(*arguments: str) -> None:
    """The pip of the developer's environment: the empty one has none."""
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *arguments], str(ROOT))


def run(command: list[str], folder: str) -> str:
    """What a command prints; ends the run if it fails."""
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
