"""The machine: Python, files that may be open, space on the disk, the clock."""

import locale
import platform
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, time

import anyio

from .finding import Finding, fail, ok, warn

FILES = 1024
"""Files that a daemon of some routes may want to have open; connections are files."""

SCARCE, NONE = 1_000_000_000, 100_000_000
"""Bytes on the disk below which it is getting tight, and below which nothing goes any more."""

BORN = 1_767_225_600.0
"""2026-01-01: no clock that is right tells an earlier time."""

APART = 0.25
"""Seconds for which two clocks are compared."""


def environment() -> Iterator[Finding]:
    """Python, what it runs on, and how it writes text."""
    yield ok("python", f"{platform.python_version()} in {sys.prefix}, on {platform.system()} {platform.machine()}")
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if encoding.lower().replace("-", "") != "utf8":
        yield warn("text", f"files are read as {encoding} where nobody says how", "set PYTHONUTF8=1, or LANG=C.UTF-8")


def limits(routes: int) -> Iterator[Finding]:
    """How many files may be open."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(FILES, 10 * routes)
    if files == resource.RLIM_INFINITY or files >= wanted:
        yield ok("files", "any number may be open" if files == resource.RLIM_INFINITY else f"{files:,} may be open")
        return
    reachable = most == resource.RLIM_INFINITY or most >= wanted
    by_hand = f"ulimit -n {wanted}, or " if reachable else ""
    hint = f"{by_hand}LimitNOFILE={wanted} in the unit of systemd"
    yield warn("files", f"only {files:,} may be open, connections among them", hint)


def disk(folder: Path) -> Finding:
    """The space where durable state is kept, or will be."""
    there = next(one for one in (folder, *folder.resolve().parents) if one.exists())
    usage = shutil.disk_usage(there)
    return space(usage.free, f"{_size(usage.free)} of {_size(usage.total)} are free for {folder}")


def space(free: int, found: str) -> Finding:
    """Whether so many bytes are enough."""
    if free < NONE:
        return fail("disk", found, "make room: what cannot be kept is not acknowledged, so routes stand still")
    if free < SCARCE:
        return warn("disk", found, "make room, and look at what grows: routekit store stats")
    return ok("disk", found)


async def clock(now: Callable[[], float] = time, steady: Callable[[], float] = monotonic) -> Finding:
    """Whether the time of day goes as fast as time does, and is one that can be."""
    wall, even = now(), steady()
    await anyio.sleep(APART)
    drift = (now() - wall) - (steady() - even)
    if now() < BORN:
        return fail(
            "clock", "it tells a time before 2026", "set the clock, and let it be kept: timedatectl set-ntp true"
        )
    if abs(drift) > 0.05:
        return warn("clock", f"it was {1000 * drift:+.0f} ms off within {APART:g} s", "see who sets it: timedatectl")
    return ok("clock", "the time of day goes evenly")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
