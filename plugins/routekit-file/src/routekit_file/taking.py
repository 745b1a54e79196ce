"""Taking: how a source looks for files, takes one after the other, and waits for more."""

import os
from pathlib import Path

import anyio
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
        raise _away(root, error) from error


class Taking:
    """The files of one directory, for one run of a route."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._ripening = Ripening(terms.stable)
        self._changed = anyio.Event()
        self._blind = False
        self._busy: set[str] = set()
        self._seen: dict[str, str] = {}

    async def recall(self) -> None:
        """Recall the files that were seen and stay where they are."""
        if self._terms.seen is not None:
            self._seen = await self._terms.seen.all()

    async def look(self) -> list[Found]:
        """The files that are ready to be taken, in order. Raises Unavailable if the directory cannot be read."""
        terms = self._terms
        if terms.watch is not None:
            self._changed = terms.watch.changed  # before the look: a change during it is not missed
        try:
            found = await anyio.to_thread.run_sync(terms.selection.scan, terms.root, terms.runtime.now())
        except OSError as error:
            raise _away(terms.root, error) from error
        fresh = [file for file in found if file.relative not in self._busy and not self._was_seen(file)]
        return self._ripening.ripe(fresh, anyio.current_time())

    async def take(self, found: Found) -> Work | None:
        """The file in our hands, or None if it went to somebody else, is gone, or was changed since the look."""
        try:
            taken = await anyio.to_thread.run_sync(self._take, found)
        except OSError as error:
            raise Unavailable(
                f"{found.path} cannot be leased: {error}", hint=f"leases need a writable {FOLDER}/ in its folder"
            ) from error
        if taken is None:
            return None
        work = Work(taken, self._terms, self._settled)
        if await self._seen_elsewhere(found):
            await work.leave()
            return None
        self._busy.add(found.relative)
        return work

    async def rest(self) -> None:
        """Wait for the next look: the time of a poll, or less if a file ripens or the directory changes earlier."""
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

    def _was_seen(self, found: Found) -> bool:
        return self._terms.seen is not None and self._seen.get(found.label) == found.signature

    async def _seen_elsewhere(self, found: Found) -> bool:
        """Whether another process has handled the file since we recalled what was seen."""
        seen = self._terms.seen
        if seen is None or await seen.get(found.label) != found.signature:
            return False
        self._seen[found.label] = found.signature
        return True

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
        reading = self._terms.reader.open(found)
        return None if reading is None else Taken(found, lease, reading, reading.batch())

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

    def _settled(self, found: Found, remembered: bool) -> None:
        self._busy.discard(found.relative)
        if remembered:
            self._seen[found.label] = found.signature

    def _tell_blind(self, watch: Watch) -> None:
        """Say once that the watching ended, and that only polling is left."""
        if watch.error is None or self._blind:
            return
        self._blind = True
        text = f"{self._terms.root} cannot be watched ({watch.error}); it is polled every {self._terms.poll} s"
        self._terms.runtime.emit(Logged(self._terms.runtime.route, "warning", text))


def _away(root: Path, error: OSError) -> Unavailable:
    text = f"the directory {root} cannot be read: {error.strerror or error}"
    return Unavailable(text, hint="is it a directory, there and readable? create=true makes one that is missing")
