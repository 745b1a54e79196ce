"""How long it takes until something is seen."""

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from .figures import Figure, alternately

ROUTEKIT = str(Path(sys.executable).parent / "routekit")


def _seconds(*command: str) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - start


def figures() -> list[Figure]:
    """Seconds of whole processes."""
    python, imported, helped = alternately(
        7,
        lambda: _seconds(sys.executable, "-c", "pass"),
        lambda: _seconds(sys.executable, "-c", "import routekit"),
        lambda: _seconds(ROUTEKIT, "--help"),
    )
    beside = f"an empty Python process {python:.3f} s"
    return [
        Figure("startup: import routekit", imported - python, "s", beside),
        Figure("startup: routekit --help", helped, "s", beside, 0.4),
    ]
