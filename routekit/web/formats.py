"""Formats: numbers, durations and times as people read them at a glance."""

import json
from datetime import UTC, datetime
from typing import Any

_SPANS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))
_LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_FULL = 10_000


def number(value: float) -> str:
    """A count; large ones are shortened.

    >>> number(7), number(9999), number(12345), number(3_200_000)
    ('7', '9,999', '12.3k', '3.2M')
    """
    if abs(value) < _FULL:
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    size, letter = next((size, letter) for size, letter in _LARGE if abs(value) >= size)
    return f"{value / size:.1f}{letter}"


def rate(value: float) -> str:
    """So many in a second.

    >>> rate(0), rate(0.004), rate(0.25), rate(3.14), rate(1234.5)
    ('0/s', '<0.01/s', '0.25/s', '3.1/s', '1,234/s')
    """
    if not value:
        return "0/s"
    if value < 0.01:
        return "<0.01/s"
    if value < 1:
        return f"{value:.2f}/s"
    return f"{value:.1f}/s" if value < 100 else f"{number(int(value))}/s"


def span(seconds: float | None) -> str:
    """A duration in one or two units; nothing for None.

    >>> span(0.0000042), span(0.0123), span(1.5), span(75), span(7300), span(200_000), span(None)
    ('4 µs', '12 ms', '1.5 s', '1 min 15 s', '2 h 1 min', '2 d 7 h', '')
    """
    if seconds is None:
        return ""
    if seconds < 0.001:
        return f"{max(seconds, 0.0) * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return _long(seconds)


def _long(seconds: float) -> str:
    size, unit = next((size, unit) for size, unit in _SPANS if seconds >= size)
    smaller, name = {"d": (3600.0, "h"), "h": (60.0, "min"), "min": (1.0, "s")}[unit]
    more = int(seconds % size // smaller)
    return f"{int(seconds // size)} {unit}" + (f" {more} {name}" if more else "")


def ago(when: float | None, now: float) -> str:
    """How long ago a time was, roughly: a page is not to change each second for it.

    >>> ago(100, 101), ago(100, 145), ago(100, 3800), ago(None, 1)
    ('just now', '40 s ago', '1 h ago', '')
    """
    if when is None:
        return ""
    seconds = now - when
    if seconds < 10:
        return "just now"
    if seconds < 60:
        return f"{int(seconds // 10) * 10} s ago"
    size, unit = next((size, unit) for size, unit in _SPANS if seconds >= size)
    return f"{int(seconds // size)} {unit} ago"


def clock(when: float | None) -> str:
    """A time in UTC, to the second.

    >>> clock(0)
    '1970-01-01 00:00:00 UTC'
    """
    return "" if when is None else f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC"


def pretty(data: Any) -> str:
    """JSON for people; a text as it is."""
    return data if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False, default=str)


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, its end kept, where names differ.

    >>> shortened("file:data/leads/web", 12)
    'file…ads/web'
    """
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 5
    return f"{text[:head]}…{text[-(most - 1 - head) :]}"


def clipped(text: str, most: int) -> str:
    """A text of at most so many characters, its beginning kept."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def paragraphs(text: str) -> list[str]:
    r"""The paragraphs of a docstring, each in one line.

    >>> paragraphs("One\nline.\n\nAnd `more`.")
    ['One line.', 'And `more`.']
    """
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def without(text: str, beginning: str) -> str:
    """A text without what the page says beside it already.

    >>> without("shop.orders: running", "shop.orders")
    'running'
    """
    return text.removeprefix(f"{beginning}: ") if beginning else text
