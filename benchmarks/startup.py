"""How long it takes until something is seen, in whole processes."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from .figures import Figure, alternately

ROUTEKIT = str(Path(sys.executable).parent / "routekit")
SHIPPED = Path(__file__).parents[1] / "routes"

MODELS = """
from pydantic import BaseModel

class Order(BaseModel):
    id: int
    customer: str
    total: float = 0.0
"""

IDLE = """
idle_{0} = (
    from_("direct:orders-{0}", Order)
    .filter(lambda order: order.total > {0})
    .transform(lambda order: order.model_copy(update={{"id": {0}}}))
    .choice()
    .when(lambda order: order.total > 1000, lambda big: big.to("log:big"))
    .otherwise(lambda rest: rest.to("mock:small"))
)
"""
"""A route that has something of everything, and waits to be called."""


def _seconds(*command: str) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - start


@dataclass(frozen=True)
class _Started:
    """A daemon, when its last route runs: seconds since it was begun, those of its processor, and its memory then."""

    seconds: float
    processor: float
    megabytes: float


def _idle_routes(folder: Path, count: int) -> None:
    """Twenty routes in each module, and one module of models."""
    routes = folder / "routes"
    routes.mkdir()
    (routes / "models.py").write_text(MODELS)
    for first in range(0, count, 20):
        body = "".join(IDLE.format(number) for number in range(first, min(count, first + 20)))
        (routes / f"m{first:05}.py").write_text(f"from routekit import from_\nfrom .models import Order\n{body}")


def _started(folder: Path, *options: str, last: int) -> _Started:
    """Start the daemon of a folder, wait until so many routes run, and stop it."""
    begun = perf_counter()
    command = [ROUTEKIT, "--set", "drain=1s", *options, "serve"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said: list[bytes] = []
        for line in process.stderr:
            said.append(line)
            last -= b": running" in line
            if not last:
                break
        seconds = perf_counter() - begun
        if last:
            raise RuntimeError(b"".join(said).decode())
        times = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    processor = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    return _Started(seconds, processor, pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def _daemons(count: int, rounds: int = 3) -> _Started:
    """The best of some starts with so many idle routes: what else runs on the machine only makes it slower."""
    with TemporaryDirectory() as folder:
        _idle_routes(Path(folder), count)
        _started(Path(folder), last=count)  # compiles the modules
        return min((_started(Path(folder), last=count) for _ in range(rounds)), key=lambda one: one.seconds)


def _shipped(rounds: int = 3) -> _Started:
    with TemporaryDirectory() as folder:
        shutil.copytree(SHIPPED, Path(folder) / "routes")
        settings = SHIPPED.parent / "routekit.toml"
        if settings.exists():
            shutil.copy(settings, folder)
        return min((_started(Path(folder), last=1) for _ in range(rounds)), key=lambda one: one.seconds)


def figures() -> list[Figure]:
    """Seconds of whole processes, and what daemons need."""
    python, imported, helped = alternately(
        7,
        lambda: _seconds(sys.executable, "-c", "pass"),
        lambda: _seconds(sys.executable, "-c", "import routekit"),
        lambda: _seconds(ROUTEKIT, "--help"),
    )
    beside = f"an empty Python process {python:.3f} s"
    shipped, few, many = _shipped(), _daemons(10), _daemons(1000)
    each = (many.processor - few.processor) / 990 * 1e6
    return [
        Figure("startup: import routekit", imported - python, "s", beside),
        Figure("startup: routekit --help", helped, "s", beside, 0.4),
        Figure("startup: serve, the shipped routes", shipped.seconds, "s", f"{shipped.processor:.2f} s processor", 1.5),
        Figure("startup: serve, 10 idle routes", few.seconds, "s", f"{few.processor:.2f} s processor"),
        Figure("startup: serve, 1,000 idle routes", many.seconds, "s", f"{many.processor:.2f} s processor", 2.0),
        Figure("startup: each route beyond 10", each, "us", "processor time"),
        Figure("startup: memory, 1,000 idle routes", many.megabytes, "MB", f"{few.megabytes:.0f} MB with 10", 150.0),
    ]
