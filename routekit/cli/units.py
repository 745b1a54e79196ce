"""Times, durations and rates in a few characters."""

from datetime import datetime


def duration(seconds: float | None) -> str:
    """How long something took.

    >>> duration(None), duration(0.0004), duration(0.0123), duration(2.5), duration(75), duration(7500)
    ('-', '0.4 ms', '12 ms', '2.5 s', '1m 15s', '2h 5m')
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        milliseconds = 1000 * seconds
        return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else ago(seconds)


def ago(seconds: float) -> str:
    """How long it is since.

    >>> ago(0), ago(75), ago(7500), ago(200_000)
    ('0s', '1m 15s', '2h 5m', '2d 7h')
    """
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600}h"


def rate(per_second: float) -> str:
    """How often in a second.

    >>> rate(0), rate(0.25), rate(12.34), rate(5230.4)
    ('0/s', '0.25/s', '12.3/s', '5,230/s')
    """
    if per_second == 0:
        return "0/s"
    if per_second < 1:
        return f"{per_second:.2f}/s"
    return f"{per_second:.1f}/s" if per_second < 100 else f"{per_second:,.0f}/s"


def moment(when: float) -> str:
    """A time of this machine's zone, to the second."""
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M:%S")
