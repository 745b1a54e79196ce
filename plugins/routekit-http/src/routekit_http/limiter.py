"""The rate of one connection: as fast as the settings allow, and not at all while the other side asks to wait."""

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import anyio
from pydantic import BeforeValidator

from .errors import HttpUnavailable
from .waits import exhausted, retry_after

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(\d*)(s|m|h|d)")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    requests: float
    seconds: float


def rate(text: object) -> object:
    """A rate from text; what is not text is left for pydantic to judge.

    >>> rate("10/s"), rate("100/10s")
    (Rate(requests=10.0, seconds=1.0), Rate(requests=100.0, seconds=10.0))
    """
    if not isinstance(text, str):
        return text
    found = _RATE.fullmatch(text.strip())
    if found is None or not float(found[1]) or found[2] == "0":
        raise ValueError(f"'{text}' is no rate: write 10/s or 100/10s")
    return Rate(float(found[1]), int(found[2] or 1) * _UNITS[found[3]])


Rates = Annotated[Rate, BeforeValidator(rate)]
"""An option that is a rate: `10/s`, `100/10s`, `5000/d`."""

_BUSY = (429, 503)


class Limiter:
    """Lets requests through in the order in which they come; `label` names the connection in errors.

    A request that would have to wait longer than `patience` seconds is refused at once, so that its route may do
    something else meanwhile.
    """

    def __init__(self, label: str, allowed: Rate | None, patience: float) -> None:
        self._label = label
        self._allowed = allowed
        self._patience = patience
        self._free = 0.0  # when the next request may go, by the rate
        self._held = 0.0  # until when the other side wants none

    async def turn(self) -> None:
        """Wait until a request may be sent; raises HttpUnavailable if that is too long."""
        held = self._held - anyio.current_time()
        while held > 0:
            self._judge(held, "it asked to wait")
            await anyio.sleep(held)
            held = self._held - anyio.current_time()
        if self._allowed is not None:
            await self._by_rate(self._allowed)

    def learn(self, status: int, headers: Mapping[str, str], now: float) -> float | None:
        """Take note of what an answer says about further requests; returns the seconds of a `Retry-After`."""
        asked = retry_after(headers, now) if status in _BUSY else None
        wait = asked if asked is not None else exhausted(headers, now)
        if wait:
            self._held = max(self._held, anyio.current_time() + wait)
        return asked

    async def _by_rate(self, allowed: Rate) -> None:
        """A token bucket that holds the requests of one second, at least one (as the generic cell rate algorithm)."""
        gap = allowed.seconds / allowed.requests
        burst = max(1.0, min(allowed.requests, allowed.requests / allowed.seconds)) * gap
        now = anyio.current_time()
        begun = max(self._free, now)
        wait = begun + gap - burst - now
        self._judge(wait, f"more than {allowed.requests:g} requests in {allowed.seconds:g} s are waiting")
        self._free = begun + gap
        if wait > 0:
            await anyio.sleep(wait)

    def _judge(self, wait: float, why: str) -> None:
        if wait > self._patience:
            raise HttpUnavailable(
                f"{self._label}: {why}, {wait:.3g} s from now",
                retry_after=wait,
                sent=False,
                hint=f"max_wait is {self._patience:g} s",
            )
