"""`routekit serve` as a process that can be killed, and commands that look at what it has left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from typing import Any

ROUTES = Path(__file__).parent / "routes"
_PROGRAM = Path(sys.executable).with_name("routekit")
_WITHIN = 300.0
_DEPOSED = "held for dead"


class Daemon:
    """One daemon in the folder of the run, where `routekit.toml` is; several of them share the folder."""

    def __init__(self, folder: Path, name: str, *, durable: bool) -> None:
        self.name = name
        self._environment = environment(durable)
        self.starts = 0
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ended(self) -> bool:
        """Whether it has ended though nobody killed it."""
        return self._process is not None and self._process.poll() is not None

    @property
    def log(self) -> str:
        """All that it has written, over all its starts."""
        path = self._folder / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def deposed(self) -> bool:
        """Whether it has ended since the others held it for dead, as it says."""
        return self.ended and _DEPOSED in self.log.rpartition("--- start ")[2]

    def start(self) -> None:
        """Start it; it ends with this process."""
        leash = ["setpriv", "--pdeathsig", "KILL", "--"] if which("setpriv") else []
        self.starts += 1
        with (self._folder / f"{self.name}.log").open("ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            log.flush()
            command = [*leash, str(_PROGRAM), "serve", str(ROUTES)]
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Let it hang, as a machine does that swaps or is moved."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, as if no time had passed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """End it in an orderly way; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        return process.wait(_WITHIN)


def environment(durable: bool) -> dict[str, str]:
    """The variables by which the routes know whether they are to be durable."""
    return {**os.environ, "CHAOS_DURABLE": "store" if durable else "none"}


def configure(folder: Path, *, broker: str, database: str, store: str) -> None:
    """Write `routekit.toml`: hasty in finding out that the other side is silent, as a run has no minutes to wait."""
    (folder / "routekit.toml").write_text(
        f'[routekit]\nstore = "{store}"\n'
        f'[rabbitmq.default]\nurl = "{broker}"\nheartbeat = 2\ntimeout = "5s"\n'
        f'[sql.shop]\nurl = "{database}"\npatience = "10s"\n'
    )


def asked(folder: Path, *command: str, durable: bool = False) -> Any:
    """What a command of `routekit` prints as JSON, in the folder of the run; raises RuntimeError if it fails."""
    done = subprocess.run(
        [_PROGRAM, *command, "--json"],
        cwd=folder,
        env=environment(durable),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"routekit {' '.join(command)}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def claims(folder: Path, *, durable: bool) -> Mapping[str, str]:
    """What `routekit check` says of each sink: `at-least-once` and the like."""
    found = asked(folder, "check", str(ROUTES), durable=durable)["guarantees"]
    return {guarantee["sink"]: guarantee["delivery"] for guarantee in found}


def letters(folder: Path) -> list[dict[str, Any]]:
    """All dead letters, once no daemon runs any more."""
    return asked(folder, "letters", "list", "--limit", "1000000")
