"""How long the other side asks to wait: `Retry-After` and the headers of rate limits."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite

MOST = 3600.0
"""Seconds that are believed at most: one wrong header must not stop a connection for a year."""

_PREFIXES = ("x-ratelimit", "ratelimit", "x-rate-limit", "x-hubspot-ratelimit")
_WINDOWS = ("reset", "reset-after", "interval-milliseconds")
_STRUCTURED = re.compile(r"(?:^|[;,\s])(r|t)=(\d+)")
_EPOCH = 1_000_000_000
"""A reset beyond this is a time, in seconds since 1970; below it is a number of seconds."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `Retry-After` (RFC 9110, 10.2.3), or None; `now` is wall time in seconds since 1970.

    A time is held against the other side's own clock, if it tells its `Date`.

    >>> retry_after({"retry-after": "120"}, 0.0)
    120.0
    >>> retry_after({"retry-after": "Fri, 01 Jan 2027 00:00:30 GMT", "date": "Fri, 01 Jan 2027 00:00:00 GMT"}, 0.0)
    30.0
    """
    given = headers.get("retry-after", "").strip()
    if not given:
        return None
    seconds = _number(given)
    if seconds is None:
        due = _time(given)
        if due is None:
            return None
        seconds = due - (_time(headers.get("date", "")) or now)
    return min(max(seconds, 0.0), MOST)


def exhausted(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until a rate limit of which nothing is left begins anew, or None if something is left.

    Reads `RateLimit` (draft-ietf-httpapi-ratelimit-headers) and the many `X-RateLimit-Remaining` with their `-Reset`.

    >>> exhausted({"ratelimit": '"default";r=0;t=7'}, 0.0), exhausted({"x-ratelimit-remaining": "3"}, 0.0)
    (7.0, None)
    >>> exhausted({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000012"}, 1_800_000_000.0)
    12.0
    """
    if not any("limit" in name for name in headers):
        return None
    fields = dict(_STRUCTURED.findall(headers.get("ratelimit", "")))
    if fields.get("r") == "0" and "t" in fields:
        return min(float(fields["t"]), MOST)
    for prefix in _PREFIXES:
        if _number(headers.get(f"{prefix}-remaining", "")) != 0:
            continue
        for window in _WINDOWS:
            reset = _number(headers.get(f"{prefix}-{window}", ""))
            if reset is not None:
                seconds = reset / 1000 if "milliseconds" in window else reset - now if reset > _EPOCH else reset
                return min(max(seconds, 0.0), MOST)
    return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _time(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
