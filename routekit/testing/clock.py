"""The clock of a test: wall time that begins when the test says, and goes on with anyio's clock, virtual or not."""

from datetime import UTC, datetime
from time import time

import anyio

_MOMENT = 1e-4
"""Seconds that what is due at one time gets: in virtual time they pass when all that is due has been done."""


class Clock:
    """Wall time that begins at `start` when it is first asked, and then goes on as anyio's clock does.

    `start` is a time with its zone, `"2026-03-29T01:00+01:00"` or a datetime; unset: the real time.
    """

    def __init__(self, start: datetime | str | None = None) -> None:
        begin = datetime.fromisoformat(start) if isinstance(start, str) else start
        if begin is not None and begin.tzinfo is None:
            raise ValueError(f"'{start}' has no time zone; write 2026-03-29T01:00+01:00, or ...Z")
        self._start = time() if begin is None else begin.timestamp()
        self._first: float | None = None

    def now(self) -> float:
        """Wall time in seconds since 1970."""
        try:
            current = anyio.current_time()
        except RuntimeError:  # no event loop runs yet
            return self._start
        if self._first is None:
            self._first = current
        return self._start + current - self._first

    def today(self) -> datetime:
        """Wall time as a datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and all that is due then be done; in virtual time at once."""
        await anyio.sleep(seconds + _MOMENT)

    async def until(self, moment: datetime | str) -> None:
        """Let time pass until a moment with its zone, and all that is due then be done.

        Raises ValueError if it is past.
        """
        due = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        wait = due.timestamp() - self.now()
        if wait < 0:
            raise ValueError(f"{moment} is past: it is {self.today().isoformat()}")
        await self.advance(wait)
