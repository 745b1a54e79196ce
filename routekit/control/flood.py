"""Bounds on what clients may ask: requests in a second, and bytes of a body. Messages go on whatever comes."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, TypeAlias

from anyio import CancelScope, current_time

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Sending: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Sending], Awaitable[None]]

BURST = 3.0
"""Seconds' worth of requests that a client may make at once."""

CLIENTS = 10_000
"""Clients that are remembered at most; the one that has asked nothing for longest is forgotten."""

BODY_TIME = 30.0
"""Seconds in which the whole of a body has to come."""

LARGEST = 1 << 20
"""Bytes of a body at most: one MiB."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Buckets:
    """A token bucket for each client: `rate` requests in a second for long, three seconds' worth of them at once."""

    def __init__(self, rate: float, now: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST)
        self._now = now
        self._buckets: dict[str, _Bucket] = {}

    def take(self, client: str) -> float:
        """Seconds to wait until it may ask again; 0.0: it may now."""
        now = self._now()
        bucket = self._buckets.pop(client, None)
        if bucket is None:
            if len(self._buckets) >= CLIENTS:
                del self._buckets[next(iter(self._buckets))]
            bucket = _Bucket(self._most, now)
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[client] = bucket  # the one that asked last is the last of the dict
        if bucket.left < 1.0:
            return (1.0 - bucket.left) / self._rate
        bucket.left -= 1.0
        return 0.0


class TooLarge(Exception):
    """A body has more bytes than are read."""


class TooSlow(Exception):
    """A body takes longer than is waited for."""


def bounded(receive: Receive, largest: int = LARGEST, seconds: float = BODY_TIME) -> Receive:
    """The same, which raises TooLarge as soon as more has come than may, and TooSlow for what does not come in time."""
    read, whole, end = 0, False, current_time() + seconds

    async def receiving() -> MutableMapping[str, Any]:
        nonlocal read, whole
        message: MutableMapping[str, Any] | None = None
        with CancelScope(deadline=inf if whole else end):  # behind the body comes only that the client has gone
            message = await receive()
        if message is None:
            raise TooSlow
        read += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if read > largest:
            raise TooLarge
        return message

    return receiving
