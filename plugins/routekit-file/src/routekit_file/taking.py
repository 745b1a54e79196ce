"""Taking: how a source looks for files, takes one after the other, and waits for more."""

import os
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread

from routekit import Logged, Unavailable

from .found import Found
from .lease import FOLDER, Lease
from .ripening import Ripening
from .terms import Terms
from .watching import Watch
from .work import Taken, Work


async def made_ready(root: Path, *, create: bool) -> None:
    """Make the directory if that is wanted; raises Unavailable if there is none to read."""

    def make_ready() -> None:
        if create:
            root.mkdir(parents=True, exist_ok=True)
        with os.scandir(root):
            return

    try:
        await anyio.to_thread.run_sync(make_ready)
    except OSError as error:
        raise away(root, error) from error


class Taking:
    """The files of one directory, for one run of a route."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._ripening = Ripening(terms.stable)
        self._changed = anyio.Event()
        self._blind = False
        self._busy: set[str] = set()
        self._declined: set[str] = set()
        self._more = False
        self._waiting = 0
        self._taken = 0
        self._done = 0
        self._failed = 0

    def figures(self) -> dict[str, Callable[[], float]]:
        """What can be read of it while it runs."""
        return {
            "waiting": lambda: self._waiting,
            "ripening": lambda: self._ripening.waiting,
            "open": lambda: len(self._busy),
            "taken_total": lambda: self._taken,
            "done_total": lambda: self._done,
            "failed_total": lambda: self._failed,
        }

    async def recall(self) -> None:
        """Recall the files that were seen and stay where they are."""
        if self._terms.seen is not None:
            await self._terms.seen.recall()

    async def look(self) -> list[Found]:
        """The files that are ready to be taken, in order. Raises Unavailable if the directory cannot be read."""
        terms = self._terms
        if terms.watch is not None:
            self._changed = terms.watch.changed  # before the look: a change during it is not missed
        if not self._more:
            self._declined.clear()
        self._ripening.look(anyio.current_time())
        try:
            found, at_all = await anyio.to_thread.run_sync(
                terms.selection.scan, terms.root, terms.runtime.now(), self._is_ready
            )
        except OSError as error:
            raise away(terms.root, error) from error
        self._ripening.looked(at_all=at_all)
        self._more = len(found) == terms.selection.most
        self._waiting = len(found)
        return found

    async def take(self, found: Found) -> Work | None:
        """The file in our hands, or None if it went to somebody else, is gone, or was changed since the look."""
        self._waiting -= 1
        try:
            taken = await anyio.to_thread.run_sync(self._take, found)
        except OSError as error:
            raise Unavailable(
                f"{found.path} cannot be leased: {error}", hint=f"leases need a writable {FOLDER}/ in its folder"
            ) from error
        if taken is None:
            self._declined.add(found.relative)
            return None
        work = Work(taken, self._terms, self._settled)
        if self._terms.seen is not None and await self._terms.seen.knew(found, taken.digest):
            await work.leave()
            return None
        self._busy.add(found.relative)
        self._taken += 1
        return work

    async def rest(self) -> None:
        """Wait for the next look: the time of a poll, or less if a file ripens or the directory changes earlier.

        There is no wait where a look was full of files that others have: those behind them may be ours.
        """
        if self._more:
            await anyio.lowlevel.checkpoint()
            return
        terms = self._terms
        soonest = self._ripening.soonest
        seconds = terms.poll if soonest is None else min(terms.poll, soonest)
        if terms.watch is None:
            await terms.runtime.rest(seconds)
            return
        self._tell_blind(terms.watch)
        async with anyio.create_task_group() as tasks:

            async def nap() -> None:
                await terms.runtime.rest(seconds)
                tasks.cancel_scope.cancel()

            tasks.start_soon(nap)
            await self._changed.wait()
            tasks.cancel_scope.cancel()

    def _is_ready(self, found: Found) -> bool:
        """Called in a worker thread for each file of a look, which needs nothing but a glance."""
        if found.relative in self._busy or found.relative in self._declined:
            return False
        if self._terms.seen is not None and self._terms.seen.knows(found):
            return False
        return self._ripening.is_ripe(found)

    def _take(self, found: Found) -> Taken | None:
        lease = Lease.take(found.path)
        if lease is None:
            return None
        taken = None
        try:
            if found.unchanged() and not self._settled_now(found):
                taken = self._opened(found, lease)
        finally:
            if taken is None:
                lease.release()
        return taken

    def _opened(self, found: Found, lease: Lease) -> Taken | None:
        digest = "" if self._terms.seen is None else self._terms.seen.digest(found.path)
        reading = self._terms.reader.open(found)
        return None if reading is None else Taken(found, lease, reading, reading.batch(), digest)

    def _settled_now(self, found: Found) -> bool:
        """Whether the file was handled before and only had to be moved or removed, which is tried again here."""
        key = (found.relative, found.signature)
        if key not in self._terms.unsettled:
            return False
        try:
            self._terms.fate.settle(found, self._terms.unsettled[key])
        except OSError:  # told when it happened first; the file stays, and the others are taken
            return True
        del self._terms.unsettled[key]
        return True

    def _settled(self, found: Found, error: Exception | None) -> None:
        self._busy.discard(found.relative)
        if error is None:
            self._done += 1
        else:
            self._failed += 1

    def _tell_blind(self, watch: Watch) -> None:
        """Say once that the watching ended, and that only polling is left."""
        if watch.error is None or self._blind:
            return
        self._blind = True
        text = f"{self._terms.root} cannot be watched ({watch.error}); it is polled every {self._terms.poll} s"
        self._terms.runtime.emit(Logged(self._terms.runtime.route, "warning", text))


def away(root: Path, error: OSError) -> Unavailable:
    """The error for a directory that cannot be read."""
    text = f"the directory {root} cannot be read: {error.strerror or error}"
    return Unavailable(text, hint="is it a directory, there and readable? create=true makes one that is missing")
