"""`top` on a real terminal, `log --follow`, and what both do when the daemon dies."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 30.0
SIGNS = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
ROUTES = """
from routekit import from_

ticks = from_("timer:t?every=50ms", int).log("ticked {body}")
idle = from_("timer:i?every=1h").to("log:x")
"""
ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"
"""What puts a terminal onto its other screen, and back."""


class Terminal:
    """A terminal of some size in which a command runs, and which looks at what is drawn."""

    def __init__(self, routekit: Any, *arguments: str, lines: int = 24, columns: int = 100) -> None:
        self._screen, self._inner = pty.openpty()
        fcntl.ioctl(self._inner, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(self._inner)
        self._said = b""
        self.process = subprocess.Popen(
            [routekit.script, *arguments],
            cwd=routekit.folder,
            env=routekit.environ | {"TERM": "xterm-256color"},
            stdin=self._inner,
            stdout=self._inner,
            stderr=self._inner,
            start_new_session=True,
        )
        routekit.started.append(self)

    @property
    def said(self) -> str:
        return self._said.decode(errors="replace")

    @property
    def frame(self) -> str:
        """What is on the screen: what was drawn since the cursor went home."""
        return " ".join(SIGNS.sub("", self.said.rpartition("\x1b[H")[2]).split())

    def until(self, text: str) -> None:
        """Wait until this text is on the screen, whatever space is in it."""
        end = time.monotonic() + PATIENCE
        while text not in self.frame:
            assert self.process.poll() is None, f"it ended without {text!r}:\n{self.said}"
            assert time.monotonic() < end, f"there was no {text!r}:\n{self.frame}"
            self._read()

    def press(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def ended(self) -> int:
        """The exit code, once all that was drawn is read; the terminal is as it was before."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it did not end:\n{self.frame}"
            self._read()
        assert termios.tcgetattr(self._inner) == self.before
        os.close(self._inner)
        with suppress(OSError):  # nobody holds the other side any more, and all is read
            while data := os.read(self._screen, 65536):
                self._said += data
        os.close(self._screen)
        return self.process.returncode

    def _read(self) -> None:
        if select.select([self._screen], [], [], 0.1)[0]:
            self._said += os.read(self._screen, 65536)


@pytest.fixture(scope="module")
def daemon(routekit_of_module: Any) -> Iterator[Any]:
    """The folder of a daemon that runs."""
    routekit_of_module.write("routes/a.py", ROUTES)
    running = routekit_of_module.start("serve")
    running.until("a.idle: running")
    running.until("ticked 1")
    return routekit_of_module


def state(daemon: Any, route: str) -> str:
    (found,) = daemon("ps", route, "--json").json
    return found["state"]


def test_top(daemon: Any) -> None:
    """It draws the routes again and again, does what keys say, and leaves the terminal as it was."""
    terminal = Terminal(daemon, "top", "--every", "0.2")
    terminal.until("a.ticks running")
    terminal.until("2 routes 2 running")
    terminal.until("a.idle: running for")  # the first one is selected
    terminal.press("p")
    terminal.until("a.idle: paused for")
    terminal.until("1 paused")
    assert state(daemon, "a.idle") == "paused"
    terminal.press("p")
    terminal.until("2 running")
    terminal.press("/tick\r")
    terminal.until("filter: tick ")
    assert "a.idle" not in terminal.frame
    terminal.press("\x1b[B>>q")
    assert terminal.ended() == 0
    assert terminal.said.count(ALTERNATE) == terminal.said.count(BACK) == 1
    assert terminal.said.endswith((BACK, f"{BACK}\x1b[?25h"))
    assert "\x1b[?25h" in terminal.said.rpartition(ALTERNATE)[2], "the cursor is back"


def test_top_in_a_corner(daemon: Any) -> None:
    """In a terminal of a few lines it shows what it can, and scrolls nothing away."""
    terminal = Terminal(daemon, "top", lines=3, columns=16)
    terminal.until("a.idle")
    assert terminal.said.count("\n") <= 3 * terminal.said.count("\x1b[H")
    terminal.press("q")
    assert terminal.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_top_is_told_to_end(daemon: Any, number: signal.Signals) -> None:
    """Whatever ends it, the terminal is as it was."""
    terminal = Terminal(daemon, "top")
    terminal.until("a.ticks")
    terminal.process.send_signal(number)
    assert terminal.ended() == 0
    assert terminal.said.count(BACK) == 1


def test_top_without_a_terminal(daemon: Any) -> None:
    """Where nobody can press a key, it prints how it is now, once."""
    done = daemon("top")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == ["route", "a.idle", "a.ticks"]
    assert "\x1b" not in done.out
    assert [one["name"] for one in daemon("top", "a.t*", "--json").json] == ["a.ticks"]


def test_log_follow(daemon: Any) -> None:
    """It goes on with what comes, and ends by Ctrl-C as one that has done its work."""
    running = daemon.start("log", "--follow", "--lines", "1", "--route", "a.ticks", "--json")
    running.until("ticked")
    first = json.loads(running.log.splitlines()[0])
    running.until(f'"number": {first["number"] + 5}')
    running.signal(signal.SIGINT)
    assert running.ended() == 0
    numbers = [json.loads(line)["number"] for line in running.log.splitlines()]
    assert numbers == sorted(set(numbers))
    assert "Traceback" not in running.log


def test_the_daemon_dies(routekit: Any) -> None:
    """When the daemon is killed, who looks at it is told in a line, with exit code 4 and the terminal as it was."""
    routekit.write("routes/a.py", ROUTES)
    killed = routekit.start("serve")
    killed.until("ticked 1")
    top = Terminal(routekit, "top", "--every", "0.2")
    top.until("a.ticks running")
    log = routekit.start("log", "--follow")
    log.until("ticked")
    killed.signal(signal.SIGKILL)
    killed.ended()
    assert top.ended() == 4
    last = SIGNS.sub("", top.said.rpartition(BACK)[2]).split()
    assert " ".join(last).startswith("error: no daemon answers at http://127.0.0.1:")
    assert log.ended() == 4
    assert "error: no daemon answers at" in log.log
    done = routekit("ps")
    assert (done.code, "no daemon runs here" in done.err) == (4, True)
    assert Path(routekit.folder / "data/daemon.json").exists(), "it was killed, so the file is left: it says nothing"
