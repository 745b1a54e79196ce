"""Two daemons with one durable route, and one of them killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from routekit_postgresql.testing import PostgreSQL

ROUTES = """
import os
from pathlib import Path

import anyio

from routekit import Policy, from_

FOLDER = Path(__file__).parent.parent

async def hold(body: str) -> str:
    if os.environ.get("HOLD"):
        (FOLDER / f"held-{body}").touch()
        await anyio.sleep_forever()
    return body

kept = (
    from_("file:in-${WHO}?after=delete&poll=50ms", str, codec="text", policy=Policy(durable="store", concurrency=8))
    .transform(hold)
    .to("file:out")
)
"""


@contextmanager
def serving(folder: Path, who: str, **environment: str) -> Generator["subprocess.Popen[str]"]:
    """A daemon of that name, with a folder of its own to read from."""
    command = [str(Path(sys.executable).with_name("routekit")), "serve", "routes/"]
    known = {**os.environ, "WHO": who, **environment}
    with (folder / f"{who}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=known, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(holds: Callable[[], object], folder: Path, *alive: "subprocess.Popen[str]") -> None:
    """Wait for a condition, as long as these processes live."""
    end = time.monotonic() + 60
    while not holds():
        ended = time.monotonic() > end or any(process.poll() is not None for process in alive)
        assert not ended, "\n".join(path.read_text() for path in folder.glob("*.log"))
        time.sleep(0.02)


def test_what_a_killed_daemon_had_in_hand_is_done_by_the_other(server: PostgreSQL, schema: str, tmp_path: Path):
    """Messages whose source was told, and that a killed daemon was at work on, go on in the other one, each once.

    The other one hears that the process has died, and does not wait for its next look.
    """
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "work.py").write_text(ROUTES)
    (tmp_path / "routekit.toml").write_text(f'[routekit]\nstore = "{server.store(schema)}"\n')
    for who in ("one", "two"):
        (tmp_path / f"in-{who}").mkdir()
    names = [f"m{number}" for number in range(5)]

    def done() -> list[str]:
        return sorted(path.read_text() for path in tmp_path.glob("out/[!.]*"))

    with serving(tmp_path, "one", HOLD="yes") as one, serving(tmp_path, "two") as two:
        for name in names:
            (tmp_path / f"{name}.part").write_text(name)
            (tmp_path / f"{name}.part").rename(tmp_path / "in-one" / name)
        until(lambda: all((tmp_path / f"held-{name}").exists() for name in names), tmp_path, one, two)
        until(lambda: not list((tmp_path / "in-one").glob("m*")), tmp_path, one, two)
        (tmp_path / "in-two" / "other").write_text("other")
        until(lambda: done() == ["other"], tmp_path, one, two)
        one.send_signal(signal.SIGKILL)
        one.wait()
        until(lambda: done() == [*names, "other"], tmp_path, two)
        until(
            lambda: server.rows(f"SELECT count(*) FROM {schema}.journal WHERE until IS NULL") == [(0,)], tmp_path, two
        )
