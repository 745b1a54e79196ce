"""daemon.json: where the daemon of this folder can be reached, for tools of the same machine and user."""

import json
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

_log = logging.getLogger("routekit")

FILE = "daemon.json"

_SLACK = 2.0
"""Seconds by which the clock of the machine's start may be wrong."""


class Found(BaseModel):
    """A daemon that runs. `token` is that of its run: only who may read the file has it."""

    model_config = ConfigDict(frozen=True)

    pid: int
    url: str
    token: SecretStr
    started: float

    @property
    def runs(self) -> bool:
        """Whether its process is alive, and not another one that has its number now."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # of another user, and alive
            pass
        begun = _begun(self.pid)
        return begun is None or begun <= self.started + _SLACK


def found(data: Path) -> Found | None:
    """The daemon that has written the file in this folder, if it still runs."""
    try:
        daemon = Found.model_validate_json((data / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return daemon if daemon.runs else None


@contextmanager
def written(data: Path, daemon: Found) -> Generator[bool]:
    """The file is there while the block lasts; False if it cannot be, which is told in the log and stops nothing."""
    other = found(data)
    if other is not None and other.pid != daemon.pid:
        _log.warning(
            "process %d serves with %s too: tools of this machine reach that one, not this one", other.pid, data
        )
        yield False
        return
    file = data / FILE
    try:
        data.mkdir(parents=True, exist_ok=True)
        _write(file, {**daemon.model_dump(), "token": daemon.token.get_secret_value()})
    except OSError as error:
        _log.warning("%s cannot be written, so that tools do not find this daemon: %s", file, error.strerror)
        yield False
        return
    try:
        yield True
    finally:
        _remove(file, daemon)


def _write(file: Path, data: dict[str, object]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    new = file.with_name(f".{FILE}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        json.dump(data, stream)
    new.replace(file)


def _remove(file: Path, daemon: Found) -> None:
    """Remove it, if it is still ours."""
    try:
        if json.loads(file.read_bytes())["pid"] == daemon.pid:
            file.unlink()
    except (OSError, ValueError, KeyError, TypeError):
        return


def _begun(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = next(line for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines() if "btime" in line)
        return int(boot.split()[1]) + int(stat[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None
