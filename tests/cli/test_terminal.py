"""The command on a real terminal: bars, colours and folding; and without one."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MOVING = """
from pathlib import Path

import anyio

from routekit import Consumer, Delivery, Message, Progress, from_

class Reading(Consumer):
    scheme = "reading"
    name: str = "x"

    async def consume(self, runtime):
        runtime.emit(Progress("a.reads", "[red]a.csv", 4, 10, "rows"))
        while not Path("go").exists():
            await anyio.sleep(0.01)
        runtime.emit(Progress("a.reads", "[red]a.csv", 10, 10, "rows", finished=True))
        yield Delivery(Message("x"))

reads = from_(Reading()).log("all is read", level="error")
"""
COLOUR = re.compile(r"\x1b\[[\d;]*(3[0-7]|9[0-7]|38;5;\d+)[\d;]*m")
SIGNS = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


class Terminal:
    """A terminal of 80 columns in which a command runs."""

    def __init__(self, routekit: Any, *arguments: str, **environ: str) -> None:
        self._screen, inner = pty.openpty()
        self._said = b""
        script = str(Path(sys.executable).with_name("routekit"))
        self.process = subprocess.Popen(
            [script, *arguments],
            cwd=routekit.folder,
            env=routekit.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"} | environ,
            stdin=inner,
            stdout=inner,
            stderr=inner,
        )
        os.close(inner)

    def until(self, text: str) -> str:
        """What was written until this text came."""
        while text not in SIGNS.sub("", self.said):
            assert self._read(), f"the terminal closed without {text!r}:\n{self.said}"
        return self.said

    def rest(self) -> str:
        """All that was written, once the command has ended."""
        while self._read():
            pass
        os.close(self._screen)
        self.process.wait(30)
        return self.said

    @property
    def said(self) -> str:
        return self._said.decode(errors="replace")

    def _read(self) -> bool:
        try:
            found = os.read(self._screen, 4096)
        except OSError:  # the command has ended: nobody holds the other end
            return False
        self._said += found
        return bool(found)


def test_bar_comes_and_goes(routekit: Any) -> None:
    """On a terminal, progress is a bar that is drawn while a file is read and wiped off at its end."""
    routekit.write("routes/a.py", MOVING)
    terminal = Terminal(routekit, "run")
    seen = terminal.until("4/10 rows")
    assert "a.reads [red]a.csv ━" in SIGNS.sub("", seen)
    assert "\x1b[?25l" in seen, "the cursor is hidden while a bar is drawn"
    routekit.write("go", "")
    after = terminal.rest()[len(seen) :]
    assert terminal.process.returncode == 0
    assert "all is read" in after
    wiped, end = after.rindex("\x1b[2K"), after.index("all is read")
    assert wiped < end, "the bar is gone before the next line"
    assert "a.csv" not in after[wiped:]
    assert "\x1b[?25h" in after, "the cursor is back"


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours(routekit: Any, environ: dict[str, str], coloured: bool) -> None:
    """Errors are coloured on a terminal, unless NO_COLOR asks for none."""
    said = Terminal(routekit, "check", **environ).rest()
    assert "error: there is no" in SIGNS.sub("", said)
    assert bool(COLOUR.search(said)) is coloured


def test_no_terminal_no_signs(routekit: Any) -> None:
    """Without a terminal there are plain lines: no bar, no colour, no cursor moves."""
    routekit.write("routes/a.py", MOVING)
    routekit.write("go", "")
    done = routekit("run")
    assert done.code == 0
    assert "\x1b" not in done.said
    assert "━" not in done.said
    assert re.fullmatch(r"(?m:^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO |ERROR) +a\.reads: .*\n)+", done.err), (
        done.err
    )


def test_tables_fold_in_a_terminal(routekit: Any) -> None:
    """On a terminal a table keeps within its width and loses nothing; names are in one piece."""
    source = "timer:" + "x" * 100
    routekit.write("routes/a.py", f'from routekit import from_\nticks = from_("{source}")\n')
    lines = SIGNS.sub("", Terminal(routekit, "list").rest()).splitlines()
    assert max(len(line) for line in lines) <= 80
    assert any(line.startswith("a.ticks ") for line in lines)
    assert sum(line.count("x") for line in lines) == 100
