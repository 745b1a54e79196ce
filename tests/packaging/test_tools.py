"""The scripts behind `make`: run as they are, on a copy in a folder of their own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the tools and nothing else."""
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def write(file: Path, text: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def run(folder: Path, *command: str) -> list[str]:
    """The lines that a command prints; it has to succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


class TestSamples:
    """`tools/samples.sh`."""

    def test_they_come_once(self, checkout: Path) -> None:
        """Sample leads are copied the first time; what was taken away later stays away."""
        write(checkout / "examples/data/leads/web/a b.csv", "x")
        write(checkout / "examples/data/leads/expected.json", "{}")
        drop = checkout / "data/leads"
        run(checkout, "tools/samples.sh")
        assert (drop / "web/a b.csv").read_text(encoding="utf-8") == "x"
        assert not (drop / "expected.json").exists()
        (drop / "web/a b.csv").unlink()
        assert run(checkout, "tools/samples.sh") == []
        assert list((drop / "web").iterdir()) == []

    def test_they_do_not_mix_with_what_is_there(self, checkout: Path) -> None:
        """A drop folder that holds something already gets no samples, also if that is hidden."""
        write(checkout / "examples/data/leads/web/sample.csv")
        write(checkout / "examples/data/leads/fair/sample.csv")
        write(checkout / "data/leads/web/.done/mine.csv")
        run(checkout, "tools/samples.sh")
        assert [file.name for file in (checkout / "data/leads/web").iterdir()] == [".done"]
        assert (checkout / "data/leads/fair/sample.csv").exists()

    def test_none_are_needed(self, checkout: Path) -> None:
        """A checkout without samples starts as well."""
        assert run(checkout, "tools/samples.sh") == []


class TestRequirements:
    """`tools/requirements.py`."""

    @pytest.fixture(autouse=True)
    def projects(self, checkout: Path) -> None:
        write(
            checkout / "pyproject.toml",
            '[project]\nname = "core"\n[dependency-groups]\nroutes = ["r"]\ndev = ["d>=1"]\npeers = ["p"]\n',
        )
        write(
            checkout / "plugins/new/pyproject.toml",
            '[project]\nname = "new"\n[project.optional-dependencies]\nb = ["x"]\na = ["y"]\nserve = ["z"]\n'
            '[dependency-groups]\ntest = ["t"]\n',
        )

    def test_serving_takes_every_plugin_as_it_is(self, checkout: Path) -> None:
        """A plugin is found because its folder is there; serving needs no tools, and no extras but its own."""
        lines = run(checkout, sys.executable, "tools/requirements.py", "serve")
        assert lines == ["-e .", "-e ./plugins/new[serve]", "r"]

    def test_testing_takes_all_extras_and_groups(self, checkout: Path) -> None:
        """Tests get every extra, and what a plugin needs for its own tests only."""
        lines = run(checkout, sys.executable, "tools/requirements.py", "test")
        assert lines == ["-e .", "-e ./plugins/new[a,b,serve]", "d>=1", "r", "t"]

    def test_measuring_takes_the_peers_as_well(self, checkout: Path) -> None:
        """Only a benchmark needs other people's work, so that tests do not wait for it."""
        lines = run(checkout, sys.executable, "tools/requirements.py", "bench")
        assert lines == ["-e .", "-e ./plugins/new[a,b,serve]", "d>=1", "p", "r", "t"]


class TestForeground:
    """`tools/foreground.py`."""

    ORDERLY = "import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit({code})); print('ready'); {then}"
    TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"

    @pytest.mark.parametrize(("code", "expected"), [(0, 0), (7, 2)])
    def test_interrupt_reaches_the_command_and_not_make(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: int
    ) -> None:
        """After Ctrl-C make ends as the command did: 0 for an orderly stop, its own 2 for a failure."""
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # set where these tests run under make: that one is not ours
            monkeypatch.delenv(name, raising=False)
        write(checkout / "stop.py", self.ORDERLY.format(code=code, then="signal.pause()"))
        write(checkout / "Makefile", f"x:\n\t@{sys.executable} -E tools/foreground.py {sys.executable} -u stop.py\n")
        command = [sys.executable, "-c", self.TERMINAL, "make", "x"]
        with subprocess.Popen(command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as make:
            assert make.stdin
            assert make.stdout
            assert make.stdout.readline().strip() == b"ready"
            make.stdin.write(b"\x03")
            make.stdin.flush()
            make.stdout.read()
            assert make.wait(timeout=60) == expected

    def test_without_a_terminal_the_command_takes_over(self, checkout: Path) -> None:
        """Where there is no terminal, the process that was started is the command: a signal to it needs no relay."""
        write(checkout / "who.py", "import os; print(os.getpid())")
        command = [sys.executable, "tools/foreground.py", sys.executable, "who.py"]
        with subprocess.Popen(command, cwd=checkout, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as started:
            assert started.stdout
            assert int(started.stdout.read()) == started.pid
