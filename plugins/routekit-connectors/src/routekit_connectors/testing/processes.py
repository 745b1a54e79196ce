"""Processes of real servers: on a leash that ends them with us, waited for, and ended by their ids."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

_LEASH = 'exec 3<&0; (read _ <&3; kill -9 -$$) & exec "$@" </dev/null 3<&-'
"""Becomes the command, beside one that waits for the pipe to us to be closed, and then ends them all."""


class Process:
    """One command in a process group of its own, which ends with the process that started it."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], user: str = "") -> None:
        self._log = folder / "server.log"
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603  # a server of tests
                ["/bin/sh", "-c", _LEASH, "sh", *command],
                env={**_own(), **environment},
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user or None,
                group=user or None,
                extra_groups=[] if user else None,
            )

    @property
    def pid(self) -> int:
        """Its id, and that of its group."""
        return self._popen.pid

    def ready(self, answers: Callable[[], bool], within: float = 120.0) -> None:
        """Return once it answers; raises RuntimeError with its log if it ends, or does not within that many seconds."""
        end = monotonic() + within
        while not answers():
            if self._popen.poll() is not None or monotonic() > end:
                self.kill()
                log = self._log.read_text(errors="replace")
                raise RuntimeError(f"{self._popen.args!r} did not start: {log[-3000:]}")
            sleep(0.05)

    def kill(self) -> None:
        """End it and all that it started, at once, as a power cut would."""
        every = _offspring(self.pid)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in every:  # those that left the group
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._popen.wait()
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        end = monotonic() + 60.0
        while any(map(_lives, every)) and monotonic() < end:
            sleep(0.005)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] = {}, user: str = "") -> str:
    """What a command prints; raises RuntimeError with that if it fails."""
    done = subprocess.run(  # noqa: S603  # as above
        command,
        env={**_own(), **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        user=user or None,
        group=user or None,
        extra_groups=[] if user else None,
    )
    told = done.stdout.decode(errors="replace")
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {told[-3000:]}")
    return told


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _own() -> dict[str, str]:
    """Our environment, but for what leads another Python to our packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def _offspring(pid: int) -> list[int]:
    """The processes that it made, and those that they made; on Linux."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        children = [int(child) for child in listed.read_text().split()]
    except OSError:
        return []
    return [*children, *(each for child in children for each in _offspring(child))]


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "XZ"
