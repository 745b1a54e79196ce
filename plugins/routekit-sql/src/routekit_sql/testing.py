"""For tests: a PostgreSQL or MariaDB server of one's own, in a temporary folder, on a free port of the loopback.

with PostgreSQL() as server:
    url = server.url            # postgresql://routekit:...@127.0.0.1:43211/postgres
    server.kill()               # as a power cut
    server.start()              # on the same data
"""

import os
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import chown, rmtree, which
from tempfile import mkdtemp
from time import monotonic, sleep
from types import TracebackType
from typing import ClassVar, Self

PASSWORD = "s3cret-of-tests"  # noqa: S105  # of servers that live as long as a test
_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
_WITHIN = 60.0
"""Seconds that a server may take to start; it takes one."""


class Server(ABC):
    """One server process, which ends with the process that started it, and its data.

    `durable=False` leaves out syncing: what was committed survives a kill, but not a power cut. It is made by the
    system user of the server's package where the test runs as root, since databases refuse to run as root.
    """

    programs: ClassVar[Sequence[str]]
    """What must be installed."""
    user: ClassVar[str]

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.port = _free_port()
        self.folder = Path(mkdtemp(prefix=f"routekit-{type(self).__name__.lower()}-"))
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            chown(self.folder, self._user, self._user)

    @classmethod
    @abstractmethod
    def find(cls, program: str) -> str | None:
        """Where a program of the server is, or None."""

    @classmethod
    def missing(cls) -> str | None:
        """The program that is not installed, or None: then a server can be started."""
        return next((program for program in cls.programs if cls.find(program) is None), None)

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, with user and password."""

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and return when it answers; raises RuntimeError with its log if it does not."""
        if not (self.folder / "data").exists():
            self._install()
        self._process = self._spawn(self._command())
        end = monotonic() + _WITHIN
        while not self._answers():
            if self._process.poll() is not None or monotonic() > end:
                self.kill()
                raise RuntimeError(f"{type(self).__name__} did not start: {self.log[-2000:]}")
            sleep(0.02)

    def kill(self) -> None:
        """End it and all processes of its own at once, as a power cut would."""
        process, self._process = self._process, None
        if process is None:
            return
        children = _children(process.pid)
        for pid in (process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        end = monotonic() + _WITHIN
        while any(map(_lives, children)) and monotonic() < end:
            sleep(0.005)

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
    def _install(self) -> None:
        """Make the folder `data`."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _program(self, name: str) -> str:
        found = self.find(name)
        if found is None:
            raise RuntimeError(f"{name} is not installed")
        return found

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(  # noqa: S603  # programs of the server
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=self.folder,
            env=self._environment,
            user=self._user,
            group=self._user,
            extra_groups=self._groups,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout.decode(errors='replace')[-2000:]}")

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        leash = ["setpriv", "--pdeathsig", "KILL", "--"] if which("setpriv") else []
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  # as above
                [*leash, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                env=self._environment,
                user=self._user,
                group=self._user,
                extra_groups=self._groups,
            )

    @property
    def _user(self) -> str | None:
        return self.user if os.geteuid() == 0 else None

    @property
    def _groups(self) -> list[str] | None:
        return [] if os.geteuid() == 0 else None

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder)}


class PostgreSQL(Server):
    """PostgreSQL, with the database `postgres` and the superuser `routekit`."""

    programs = ("initdb", "postgres", "pg_isready")
    user = "postgres"

    @classmethod
    def find(cls, program: str) -> str | None:
        """In the newest version that Debian has installed, or on the path."""
        versions = Path("/usr/lib/postgresql").glob("*/bin")
        newest = sorted(versions, key=lambda folder: float(folder.parent.name), reverse=True)
        return which(program, path=os.pathsep.join(map(str, newest))) or which(program)

    @property
    def url(self) -> str:
        return f"postgresql://routekit:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def _install(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            [
                *(self._program("initdb"), "-D", str(self.folder / "data"), "-U", "routekit", "-A", "scram-sha-256"),
                *(f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
            ]
        )

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "shared_buffers": "32MB",
            "max_connections": 50,
            "jit": "off",
            **({} if self.durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._program("postgres"), "-D", str(self.folder / "data"), *given]

    def _answers(self) -> bool:
        asked = [self._program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        done = subprocess.run(asked, check=False, stdout=subprocess.DEVNULL)  # noqa: S603  # as above
        return done.returncode == 0


class MariaDB(Server):
    """MariaDB, with the database `crm` and a user of all rights, `routekit`."""

    programs = ("mariadbd", "mariadb-install-db")
    user = "mysql"

    @classmethod
    def find(cls, program: str) -> str | None:
        """On the path, or where servers are kept that are not."""
        return which(program) or which(program, path=os.pathsep.join(_FOLDERS))

    @property
    def url(self) -> str:
        return f"mariadb://routekit:{PASSWORD}@127.0.0.1:{self.port}/crm"

    def _install(self) -> None:
        (self.folder / "first.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS crm;\n"
            f"CREATE USER IF NOT EXISTS routekit@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO routekit@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        self._run(
            [
                *(self._program("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder / 'data'}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ]
        )

    def _command(self) -> list[str]:
        return [
            *(self._program("mariadbd"), "--no-defaults", f"--datadir={self.folder / 'data'}"),
            *(f"--socket={self.folder / 's'}", f"--pid-file={self.folder / 'pid'}", f"--port={self.port}"),
            *("--bind-address=127.0.0.1", "--skip-name-resolve", f"--init-file={self.folder / 'first.sql'}"),
            *("--innodb-buffer-pool-size=32M", "--character-set-server=utf8mb4"),
            f"--innodb-flush-log-at-trx-commit={1 if self.durable else 2}",
        ]

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
            return len(probe.recv(5)) == 5  # the length and the version of its greeting


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _children(pid: int) -> list[int]:
    """The processes that a server made, which need not end with it at once; on Linux."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "XZ"
