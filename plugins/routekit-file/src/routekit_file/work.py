"""Work: one file in the hands of a route, from its lease to its fate."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread

from routekit import BodyError, Delivery, Message, Progress, Record, Refused, Unavailable

from .found import Found
from .lease import Lease
from .reading import Reading
from .terms import Terms

TELL = 0.5
"""Seconds between two words about the progress of a file."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was leased and opened, with its first bodies: all that one trip to a worker thread can bring.

    `digest` tells its content, if that is what the source knows it by.
    """

    found: Found
    lease: Lease
    reading: Reading
    first: deque[Record]
    digest: str


class Work:
    """One file: its deliveries, how many of them are open, and what becomes of it when none is left.

    The file is finished with its last delivery, whichever that is: several are in flight at once. It is acknowledged
    as a whole: if one delivery was refused, or the file could not be read to its end, it has failed.
    """

    def __init__(self, taken: Taken, terms: Terms, settled: Callable[[Found, Exception | None], None]) -> None:
        self.found = found = taken.found
        self._digest = taken.digest
        self._lease = taken.lease
        self._reading = taken.reading
        self._first: deque[Record] | None = taken.first
        self._terms = terms
        self._settled = settled
        self._id = found.id
        self._headers = found.headers()
        self._open = 0
        self._complete = False
        self._left = False
        self._refused: Exception | None = None
        self._told = anyio.current_time()

    async def batch(self) -> deque[Record]:
        """The next bodies, empty at the end; a file without any is finished here."""
        if self._complete:
            return deque()
        if self._first is not None:
            batch, self._first = self._first, None
        else:
            batch = await anyio.to_thread.run_sync(self._reading.batch)
        if not batch:
            self._complete = True
            await self._finish()
        self._tell()
        return batch

    def delivery(self, batch: deque[Record]) -> Delivery[Any]:
        """The first body of the batch, handed out; the last one of the file makes the work complete."""
        record = batch.popleft()
        self._open += 1
        if not batch and self._reading.ended:
            self._complete = True
        error = None
        if record.error is not None:
            error = BodyError(record.error, row=record.number or None, column=record.column)
        return Delivery(self._message(record), self.accept, self.refuse, error)

    async def accept(self, reply: Message[Any] | None) -> None:
        """One delivery of this file is done."""
        await self._close_one()

    async def refuse(self, error: Exception) -> None:
        """One delivery of this file was refused: so is the file, once all others are settled."""
        self._refused = self._refused or error
        await self._close_one()

    async def leave(self) -> None:
        """The route takes no more of this file: unless it was handed out to its end, it is free to be taken again."""
        if self._complete:
            return
        self._left = True
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._reading.close)
            if not self._open:
                await anyio.to_thread.run_sync(self._lease.release)

    async def _close_one(self) -> None:
        self._open -= 1
        if self._open:
            return
        if self._complete:
            await self._finish()
        elif self._left:
            await anyio.to_thread.run_sync(self._lease.release)

    async def _finish(self) -> None:
        """Nothing of this file is open any more. Raises Unavailable if its fate cannot be carried out."""
        broken = self._reading.broken
        error = self._refused or broken
        try:
            if error is None and self._terms.seen is not None:
                await self._terms.seen.put(self.found, self._digest)
            await anyio.to_thread.run_sync(self._settle, error)
        except OSError as wrong:
            self._terms.unsettled[self.found.relative, self.found.signature] = error
            raise _not_settled(self.found, wrong) from wrong
        finally:
            self._lease.close()
            self._settled(self.found, error)
        if broken is not None:
            self._terms.runtime.emit(Refused(self._terms.runtime.route, self._id, "source", broken))
        self._tell(finished=True)

    def _settle(self, error: Exception | None) -> None:
        try:
            self._terms.fate.settle(self.found, error)
        finally:
            self._lease.release()

    def _message(self, record: Record) -> Message[Any]:
        if not self._terms.many:
            return Message(record.body, self._headers, self._id)
        headers = {**self._headers, "row": record.number}
        if record.headers is not None:
            headers.update(record.headers)
        return Message(record.body, headers, f"{self._id}/{record.number}")

    def _tell(self, *, finished: bool = False) -> None:
        now = anyio.current_time()
        if not self._terms.many or not (finished or now - self._told >= TELL):
            return
        self._told = now
        done = min(self._reading.bytes_read, self.found.size)  # the table of an archive is read as well
        route = self._terms.runtime.route
        self._terms.runtime.emit(Progress(route, self.found.label, done, self.found.size, "bytes", finished))


def _not_settled(found: Found, error: OSError) -> Unavailable:
    return Unavailable(
        f"{found.path} was handled but cannot be moved or removed: {error}",
        hint="it stays there, and only the moving is tried again: make its folder, done_to and failed_to writable",
    )
