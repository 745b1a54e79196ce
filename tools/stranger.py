"""Publish a plugin as a stranger does: begin it by `routekit new plugin`, build it, and use it where nothing else is.

Its wheel and the core's, with what they ask for, are all that is in the environment; its own tests run there against
what is installed, `routekit plugins` lists it, and `routekit describe` explains it.
"""

import json
import shutil
import sys
import tempfile
import venv
from pathlib import Path

from requirements import ROOT
from wheels import pip, points, run, wheel

PLUGINS = {"acme": "source,sink,codec,hook,step", "acme-bell": "listener,sink"}


def main() -> None:
    """Fails with the output of the first command that fails."""
    with tempfile.TemporaryDirectory(prefix="routekit-stranger-") as room:
        core = wheel(ROOT, Path(room, "wheels"))
        writer, user = Path(room, "writer"), Path(room, "user")
        venv.create(writer)
        pip("--python", f"{writer}/bin/python", "install", "-c", "constraints.txt", str(core))
        for name, kinds in PLUGINS.items():
            folder = Path(room, f"routekit-{name}")
            run([f"{writer}/bin/routekit", "new", "plugin", name, "--kind", kinds, "--folder", str(folder)], room)
            made = wheel(folder, Path(room, "wheels"))
            venv.create(user, clear=True)
            pip("--python", f"{user}/bin/python", "install", "-c", "constraints.txt", str(core), f"{made}[test]")
            used(user, folder)
            print(f"{folder.name}: {tested(user, folder)} where nothing else is")


def used(user: Path, folder: Path) -> None:
    """What it promises in its entry points is listed, and can be explained."""
    command = str(user / "bin" / "routekit")
    offered = json.loads(run([command, "plugins", "--json"], str(user)))
    listed = {offer["name"] for offer in offered if offer["distribution"] == folder.name}
    if listed != set(points(folder)):
        sys.exit(f"`routekit plugins` lists {sorted(listed)} of {folder.name}, and it offers {sorted(points(folder))}")
    for name in listed:
        if not name.startswith("hook."):
            run([command, "describe", name], str(user))


def tested(user: Path, folder: Path) -> str:
    """Run its tests without its sources, against what is installed; gives the last line of what they print."""
    place = user / "tried"
    shutil.copytree(folder / "tests", place / "tests")
    shutil.copy(folder / "pyproject.toml", place)
    tests = [f"{user}/bin/python", "-m", "pytest", "-q", "-o", "pythonpath=", "-p", "no:cacheprovider"]
    return run(tests, str(place)).splitlines()[-1]


if __name__ == "__main__":
    main()
