"""Which process this is, so that another one of the same machine can tell that it is gone without waiting."""

import os
from pathlib import Path


def birth() -> str:
    """Names this process for all time, as far as Linux tells; empty elsewhere."""
    return _of(os.getpid()) or ""


def gone(other: str) -> bool:
    """Whether the process of that name was on this machine, and is no more. A zombie is gone."""
    machine, _, process = other.rpartition(":")
    return bool(machine) and machine == _machine() and _of(int(process.split("-")[0])) != other


def _of(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{_machine()}:{pid}-{fields[19]}"


def _machine() -> str:
    """This start of this machine, and this space of process numbers in it."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
