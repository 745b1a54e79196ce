"""The real command in a folder of its own, as a person would run it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pytest

SCRIPT = Path(sys.executable).with_name("routekit")
"""The command as it is installed beside the Python that runs the tests."""

PATIENCE = 30.0
"""Seconds after which a test gives up; nothing is measured."""


@dataclass
class Result:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def said(self) -> str:
        return self.out + self.err


class Running:
    """A command that runs; a thread reads its log and wakes whoever waits for a line of it."""

    def __init__(self, arguments: list[str], folder: Path, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [SCRIPT, *arguments],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._log = b""
        self._ended = False
        self._grown = Condition()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        return self._log.decode(errors="replace")

    def until(self, text: str) -> None:
        """Wait until the log has this text."""
        with self._grown:
            self._grown.wait_for(lambda: text in self.log or self._ended, PATIENCE)
        assert text in self.log, self.log

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self._tell(line)
        self._tell(b"", ended=True)

    def _tell(self, line: bytes, *, ended: bool = False) -> None:
        with self._grown:
            self._log += line
            self._ended = ended
            self._grown.notify_all()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """The exit code, once the whole log is read."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code


@dataclass
class Command:
    """`routekit` in a folder: call it with its arguments."""

    folder: Path
    environ: dict[str, str]
    started: list[Running] = field(default_factory=list[Running])

    @property
    def script(self) -> Path:
        """The command as it is installed."""
        return SCRIPT

    def __call__(self, *arguments: str, input: str = "", **environ: str) -> Result:
        """Run it to its end. Whatever it is asked, it never answers with a traceback."""
        done = subprocess.run(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env=self.environ | environ,
            input=input,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environ: str) -> Running:
        """Run it on the side; it is killed after the test, if it still runs."""
        self.started.append(Running(list(arguments), self.folder, self.environ | environ))
        return self.started[-1]

    def write(self, file: str, text: str) -> Path:
        """Write a file of the folder: a module of routes, or the settings."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def routekit(tmp_path: Path) -> Iterator[Command]:
    with _commanding(tmp_path) as command:
        yield command


@pytest.fixture(scope="module")
def routekit_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """As `routekit`, but what it has started runs for all tests of a module."""
    with _commanding(tmp_path_factory.mktemp("module")) as command:
        yield command


@contextmanager
def _commanding(folder: Path) -> Iterator[Command]:
    mine = ("ROUTEKIT_", "PYTHON", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    command = Command(folder, environ)
    yield command
    for running in command.started:
        running.process.kill()
        running.process.wait()
