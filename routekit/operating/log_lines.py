"""The lines of the log that are still in memory, for whoever looks."""

import logging
from collections import deque
from collections.abc import Sequence

from ..console import one_line
from ..logs import clean_text, cleaned
from .sights import LineSight

LINES = 5000
"""Lines that are kept."""

_LONGEST = 4000
"""Characters of a line that are kept."""


class LogLines(logging.Handler):
    """A handler that keeps the latest lines of a logger, numbered from 1."""

    def __init__(self, most: int = LINES) -> None:
        super().__init__()
        self._lines: deque[LineSight] = deque(maxlen=most)
        self._last = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line. What it says of route, step and message is read from the attributes of the record."""
        try:
            text = one_line(clean_text(record))[:_LONGEST]
        except Exception:  # an author's argument that cannot be written
            self.handleError(record)
            return
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text += one_line(cleaned(record, f": {type(error).__name__}: {error}"))[:_LONGEST]
        self._last += 1
        said = {name: str(getattr(record, name, "") or "") for name in ("route", "step", "message_id")}
        self._lines.append(
            LineSight(
                number=self._last,
                when=record.created,
                level=record.levelname.lower(),
                text=text,
                route=said["route"],
                step=said["step"],
                message=said["message_id"],
            )
        )

    def after(self, number: int, limit: int) -> Sequence[LineSight]:
        """The lines numbered above that, the oldest first; of more than `limit`, the newest."""
        skipped = max(0, len(self._lines) - max(0, self._last - number))
        those = [line for at, line in enumerate(self._lines) if at >= skipped]
        return those[-limit:] if limit else []
