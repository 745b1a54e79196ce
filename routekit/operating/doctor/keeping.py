"""What is kept: the settings, the data folder, the store."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import time

from ...endpoint import parse_uri
from ...errors import RouteKitError
from ...options import masked
from ...placeholders import filled
from ...plugins import Catalog
from ...settings import FILE, Settings
from ...store import Described
from .finding import Finding, fail, ok, warn


def settings(given: Settings) -> Iterator[Finding]:
    """Where they were found, and whether all placeholders have values."""
    if given.file is None:
        yield ok("settings", f"no {FILE} in {Path.cwd()}, so all has its default")
    else:
        yield ok("settings", f"{given.file.resolve()}")
    for problem in given.missing():
        yield fail("settings", f"{problem.place}: {masked(problem.message)}", masked(problem.hint))


def data(folder: Path) -> Iterator[Finding]:
    """Whether the folder for durable state can be used by this user, and by others."""
    there = next(one for one in (folder, *folder.resolve().parents) if one.exists())
    if not there.is_dir():
        yield fail("data", f"{there} is no folder", "move that file away, or set another folder: data = ...")
    elif not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        owner = there.stat().st_uid
        yield fail("data", f"{there} cannot be written by user {os.geteuid()}", f"it belongs to user {owner}: chown it")
    elif there != folder:
        yield ok("data", f"{folder} will be made")
    elif folder.stat().st_mode & 0o022:
        yield warn("data", f"{folder}: others on this machine may write into it", f"chmod 700 {folder}")
    else:
        yield ok("data", f"{folder.resolve()} can be written")


APART = 2.0
"""Seconds between two clocks from which people begin to wonder."""


async def store(given: Settings, catalog: Catalog) -> AsyncIterator[Finding]:
    """Whether the store can be opened, and what waits in it for somebody."""
    uri = masked(given.options.store)
    try:
        parts = parse_uri(filled(given.options.store, given.lookup))
        file = Path(parts.path) if parts.scheme == "sqlite" else None
        if file is not None and not file.exists():
            yield ok("store", f"{file} will be made")
            return
        if file is not None:
            for finding in _file(file):
                yield finding
        async with catalog.open_store(given.options.store, time) as opened:
            contents = await opened.contents()
            letters = await opened.letters.count()
            durable = opened.durable
            before = time()
            facts = await opened.described() if isinstance(opened, Described) else None
            asked = (before + time()) / 2  # about when it looked at its clock
    except RouteKitError as error:
        yield fail("store", f"{uri}: {masked(error.message)}", masked(error.hint))
        return
    if not durable:
        yield warn("store", f"{uri} is memory: what waits in it is lost with the process", 'write store = "sqlite:..."')
        return
    kind = f", {facts.software}, schema {facts.schema}" if facts is not None else ""
    yield ok("store", f"{uri} opens{kind}; it holds {sum(one.count for one in contents):,} entries")
    if facts is not None and facts.now is not None:
        yield apart(facts.now - asked)
    if letters:
        many = f"{letters:,} dead letters wait" if letters > 1 else "a dead letter waits"
        yield warn("letters", f"{many} for somebody", "routekit letters clusters")


def apart(seconds: float) -> Finding:
    """Whether the clock of the store's server is so far ahead of that of this machine, or behind it."""
    if abs(seconds) < APART:
        return ok("clocks", f"the store's and this machine's are {abs(seconds):.1f} s apart")
    found = f"the store's is {abs(seconds):,.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    hint = "let both be kept by NTP: leases and timers count by the store's, the log and letters by this machine's"
    return warn("clocks", found, hint)


def _file(file: Path) -> Iterator[Finding]:
    if not os.access(file, os.R_OK | os.W_OK):
        yield fail("store", f"{file} cannot be written by user {os.geteuid()}", f"chown it: user {file.stat().st_uid}")
    elif file.stat().st_mode & 0o007:
        yield warn("store", f"{file}: every user of this machine may read messages in it", f"chmod 600 {file}")
