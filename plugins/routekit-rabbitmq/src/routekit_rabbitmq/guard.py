"""A guard around calls of the driver, which may wait for ever once their connection is gone."""

from collections.abc import Generator
from contextlib import contextmanager

import anyio

from .faults import told


class Guard:
    """For one channel: `release` ends all calls that are under way, when the channel is known to be closed.

    The driver puts frames into a bounded queue; one that waits there for room when the writer ends is never told.
    """

    def __init__(self, what: str, place: str) -> None:
        self._what = what
        self._place = place
        self._calls: set[anyio.CancelScope] = set()

    @contextmanager
    def call(self) -> Generator[None]:
        """Around one call: its errors are raised as what they mean, and Unavailable if it was released."""
        with told(self._what, self._place):
            scope = anyio.CancelScope()
            self._calls.add(scope)
            try:
                with scope:
                    yield
            finally:
                self._calls.discard(scope)
            if scope.cancelled_caught:
                raise ConnectionError("the connection was lost")

    def release(self, *_: object) -> None:
        """Let nobody wait any more."""
        for scope in self._calls:
            scope.cancel()
