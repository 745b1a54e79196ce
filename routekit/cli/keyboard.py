"""The keyboard of a terminal, key by key."""

import os
import select
import sys
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager

_NAMES = {
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x1b": "escape",
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
}
_LONGEST = 64


@contextmanager
def keys_one_by_one() -> Generator[None]:
    """Keys come as they are pressed, and are not shown; the terminal is as it was afterwards."""
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def pressed(seconds: float) -> list[str]:
    """The keys that are pressed within that time, by name; none at its end, or `q` if the terminal has gone."""
    number = sys.stdin.fileno()
    ready, _, _ = select.select([number], [], [], max(0.0, seconds))
    if not ready:
        return []
    data = os.read(number, _LONGEST)
    return list(split(data.decode(errors="ignore"))) if data else ["q"]


def split(text: str) -> Generator[str]:
    r"""The names of the keys that a terminal has sent at once.

    >>> list(split("a\x1b[B\x1b[5~/\x1b"))
    ['a', 'down', 'page up', '/', 'escape']
    """
    while text:
        long = max((name for name in _NAMES if text.startswith(name)), key=len, default=text[0])
        yield _NAMES.get(long, long)
        text = text[len(long) :]
