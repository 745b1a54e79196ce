"""The position in a stream: how far all messages are finished, whatever the order in which they finish."""

from dataclasses import dataclass, field

import anyio

from routekit import Marks

_KEY = "offset"
_EVERY = 1.0
"""Seconds between two writes; after a crash what was finished in them comes again."""


@dataclass(eq=False)
class Position:
    """The offset after which nothing is finished without a gap, kept in the store.

    Offsets are issued in growing order; `finish` may be called in any. What is unfinished holds the position back.
    """

    marks: Marks
    _open: dict[int, bool] = field(default_factory=dict[int, bool])
    _at: int | None = None
    _saved: int | None = None
    _when: float = float("-inf")
    _saving: anyio.Lock = field(default_factory=anyio.Lock)

    async def load(self) -> int | None:
        """The offset of the last message that is finished with all before it, as it was kept."""
        kept = await self.marks.get(_KEY)
        self._at = self._saved = None if kept is None else int(kept)
        return self._at

    def issue(self, offset: int) -> None:
        """A message is handed out."""
        self._open[offset] = False

    async def finish(self, offset: int) -> None:
        """A message is done for good."""
        self._open[offset] = True
        for first in list(self._open):
            if not self._open[first]:
                break
            del self._open[first]
            self._at = first
        if not self._open or anyio.current_time() - self._when >= _EVERY:
            await self.save()

    async def save(self) -> None:
        """Keep the position now; those who wait for each other here are served by one write."""
        async with self._saving:
            if self._at is not None and self._at != self._saved:
                at, self._when = self._at, anyio.current_time()
                await self.marks.put(_KEY, str(at))
                self._saved = at
