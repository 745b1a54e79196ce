"""Fate: what becomes of a file once everything that it caused is settled."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from routekit import said

from .destination import Destination
from .found import Found
from .moving import move_aside, move_with_note

After = Literal["move", "delete", "keep"]

NOTE = ".error.json"
"""What the name of the file that tells the reason has more than the name of the file that failed."""


@dataclass(frozen=True)
class Fate:
    """Where the files of one source go. All methods block, and raise OSError with the file left where it was."""

    after: After
    done_to: Destination
    failed_to: Destination
    route: str
    now: Callable[[], float]

    def settle(self, found: Found, error: Exception | None) -> None:
        """The end of a file that was handled, or that failed with `error`."""
        if error is None:
            self.succeed(found)
        else:
            self.fail(found, error)

    def succeed(self, found: Found) -> None:
        """Move, delete or keep a file that was handled.

        A file that was changed or replaced in the meantime stays: its new content has not been handled.
        """
        if self.after == "keep" or not found.unchanged():
            return
        if self.after == "move":
            move_aside(found.path, self.done_to.path_of(found, self._clock()), self._time())
        else:
            found.path.unlink()
        _forget_marker(found)

    def fail(self, found: Found, error: Exception) -> None:
        """Move a file that was refused, whatever `after` says, and write the reason beside it."""
        if not found.unchanged():
            return
        target = self.failed_to.path_of(found, self._clock())
        move_with_note(found.path, target, self._time(), NOTE, self._note(found, error))
        _forget_marker(found)

    def _note(self, found: Found, error: Exception) -> bytes:
        reason = {
            "error": type(error).__name__,
            "reason": said(error),
            "time": self._clock().isoformat(timespec="milliseconds"),
            "message_id": found.id,
            "route": self.route,
            "file": found.label,
        }
        return json.dumps(reason, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"

    def _time(self) -> str:
        return f"{self._clock():%Y%m%dT%H%M%S}"

    def _clock(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)


def _forget_marker(found: Found) -> None:
    """The done file goes last: as long as the file is there, it is complete."""
    if found.marker is not None:
        found.marker.unlink(missing_ok=True)
