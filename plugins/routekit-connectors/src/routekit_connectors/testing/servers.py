"""What the three real servers have in common: an environment, a template, a folder, and how they start and end."""

import fcntl
import os
import subprocess
import sys
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from inspect import getsource
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import TracebackType
from typing import ClassVar, Self

from .processes import Process, free_ports, run

PASSWORD = "admin-secret"  # noqa: S105  # of servers that live as long as a test
_HERE = Path(__file__).parent


class RealServer(ABC):
    """A real system in a folder of its own, on a free port of the loopback, as its makers publish it.

    Its data comes from a template, which is made once on a machine. It keeps port and data when it is killed and
    started again, and ends with the process that started it.
    """

    name: ClassVar[str]
    """That of its environment, and of its list of requirements."""
    title: ClassVar[str]
    """How people call it."""
    python: ClassVar[tuple[int, int]] = (3, 11)
    """The oldest Python that it runs on."""

    def __init__(self) -> None:
        self.port, *self._more_ports = free_ports(3)
        self.folder = Path(mkdtemp(prefix=f"routekit-{self.name}-"))
        self.folder.chmod(0o755)  # some servers refuse to run as root, and have to get in as somebody else
        self._processes: list[Process] = []

    @classmethod
    def missing(cls) -> str | None:
        """Why a server cannot be started here, or None: then it can."""
        if not installed(cls):
            return f"{cls.title} is not installed: `make for-test` does it, with Python {_version(cls.python)} or newer"
        return None

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        """The ids of what was started, the server that speaks HTTP last; none while it does not run."""
        return [process.pid for process in self._processes]

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and return when it answers; raises RuntimeError with its log if it does not."""
        if not (self.folder / "data").exists():
            run(["cp", "-a", str(template(type(self))), str(self.folder / "data")], self.folder)
        try:
            self.run()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        while self._processes:
            self._processes.pop().kill()

    def close(self) -> None:
        """End it, and remove its data."""
        self.kill()
        rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def make(self) -> None:
        """Put what a new system begins with into `folder/data`: the template is made so, once."""

    @abstractmethod
    def run(self) -> None:
        """Start its processes on `folder/data`."""

    def spawn(self, *command: str, user: str = "", **environment: str) -> Process:
        """Start one of its processes."""
        process = Process(command, self.folder, environment, user)
        self._processes.append(process)
        return process


def environment(kind: type[RealServer]) -> Path:
    """The folder of the environment that a server is installed in: beside ours, and not ours."""
    return Path(sys.prefix, "real", kind.name)


def program(kind: type[RealServer], name: str = "python") -> str:
    """A program of that environment."""
    return str(environment(kind) / "bin" / name)


def text(name: str) -> str:
    """A program that runs in the environment of a server, and so is kept as text here."""
    return (_HERE / "programs" / name).read_text(encoding="utf-8")


def requirements(kind: type[RealServer]) -> Path:
    """The list of what its environment has, each in one version."""
    return _HERE / "requirements" / f"{kind.name}.txt"


@cache
def state(kind: type[RealServer]) -> str:
    """What a template is made of; another text makes it anew."""
    programs = sorted((_HERE / "programs").glob(f"{kind.name}_*.txt"))
    parts = [requirements(kind).read_bytes(), getsource(kind.make).encode(), *(path.read_bytes() for path in programs)]
    return sha256(b"\0".join(parts)).hexdigest()[:16]


def installed(kind: type[RealServer]) -> bool:
    """Whether its environment has what its list of requirements says."""
    mark = environment(kind) / ".installed"
    return mark.exists() and mark.read_bytes() == requirements(kind).read_bytes()


def install(kind: type[RealServer], python: str) -> None:
    """Make its environment with that Python, unless it is there."""
    with locked(kind):
        if installed(kind):
            return
        folder = environment(kind)
        run([python, "-m", "venv", "--clear", str(folder)], folder.parent)
        pip = [program(kind), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "install"]
        run([*pip, "-r", str(requirements(kind))], folder)
        (folder / ".installed").write_bytes(requirements(kind).read_bytes())


def template(kind: type[RealServer]) -> Path:
    """The folder that the data of a new server is copied from; made if it is not there, which takes a while."""
    folder = environment(kind).parent / f"{kind.name}-{state(kind)}"
    with locked(kind):
        if not folder.exists():
            server = kind()
            try:
                server.make()
                server.kill()
                run(["cp", "-a", str(server.folder / "data"), f"{folder}.new"], server.folder)
            finally:
                server.close()
            for old in folder.parent.glob(f"{kind.name}-*[0-9a-f]"):
                rmtree(old, ignore_errors=True)
            Path(f"{folder}.new").rename(folder)
    return folder


@contextmanager
def locked(kind: type[RealServer]) -> Generator[None]:
    """One process at a time makes an environment or a template."""
    folder = environment(kind).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{kind.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def answers(url: str, headers: Mapping[str, str]) -> bool:
    """Whether a GET is answered with 200; raises RuntimeError for a refusal, which waiting would not mend."""
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310  # our own server's
    try:
        with urllib.request.urlopen(request, timeout=60.0) as answer:  # noqa: S310  # as above
            return answer.status == HTTPStatus.OK
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(f"GET {url}: {error.code} {error.read().decode(errors='replace')[:2000]}") from None
    except OSError:
        return False


def unprivileged(name: str) -> str:
    """The user as whom a server runs that refuses to be root, or nobody: as whoever runs this."""
    return name if os.geteuid() == 0 else ""


def usable(python: str, oldest: tuple[int, int]) -> bool:
    """Whether a Python is new enough, and can make environments."""
    asked = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {oldest})"
    with suppress(OSError):
        return subprocess.run([python, "-c", asked], check=False, capture_output=True).returncode == 0  # noqa: S603  # as above
    return False


def _version(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
