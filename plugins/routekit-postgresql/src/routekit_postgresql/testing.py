"""For tests: a PostgreSQL server of one's own, in a temporary folder, on a free port of the loopback.

with PostgreSQL() as server:
    store = server.store("orders")   # postgresql://routekit:...@127.0.0.1:43211/postgres?schema=orders
    server.kill()                    # as a power cut
    server.start()                   # on the same data
"""

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import chown, rmtree, which
from tempfile import mkdtemp
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self, TypedDict

import psycopg

PASSWORD = "s3cret-of-tests"  # noqa: S105  # of servers that live as long as a test
_PROGRAMS = ("initdb", "postgres", "pg_isready")
_USER = "postgres"
"""As whom it runs where the test runs as root, since it refuses to run as that."""
_WITHIN = 60.0
"""Seconds that the server may take to start; it takes one."""


class PostgreSQL:
    """One server process, which ends with the process that started it, and its data.

    `durable=False` leaves out syncing: what was committed survives a kill, but not a power cut.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.port = _free_port()
        self.folder = Path(mkdtemp(prefix="routekit-postgresql-"))
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            chown(self.folder, _USER, _USER)

    @staticmethod
    def missing() -> str | None:
        """The program that is not installed, or None: then a server can be started."""
        return next((program for program in _PROGRAMS if _found(program) is None), None)

    @property
    def url(self) -> str:
        """Where it is, with user and password."""
        return f"postgresql://routekit:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def store(self, schema: str = "routekit", **options: Any) -> str:
        """The URI of a store in it."""
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return f"{self.url}?schema={schema}{more}"

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What another client finds, or does, now."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement.encode(), parameters or None)
            return found.fetchall() if found.description else []

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and return when it answers; raises RuntimeError with its log if it does not."""
        if not (self.folder / "data").exists():
            self._install()
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # programs of the server
                [*_leash(), *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                env=self._environment,
                **_as_user(),
            )
        end = monotonic() + _WITHIN
        while not self._answers():
            if self._process.poll() is not None or monotonic() > end:
                self.kill()
                raise RuntimeError(f"PostgreSQL did not start: {self.log[-2000:]}")
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

    def _install(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        command = [
            *(_program("initdb"), "-D", str(self.folder / "data"), "-U", "routekit", "-A", "scram-sha-256"),
            *(f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        ]
        done = subprocess.run(  # noqa: S603  # as above
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=self.folder,
            env=self._environment,
            **_as_user(),
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout.decode(errors='replace')[-2000:]}")

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "shared_buffers": "32MB",
            "max_connections": 100,
            "jit": "off",
            **({} if self.durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self.folder / "data"), *given]

    def _answers(self) -> bool:
        asked = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False, stdout=subprocess.DEVNULL).returncode == 0  # noqa: S603  # as above

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder)}


class _User(TypedDict, total=False):
    user: str
    group: str
    extra_groups: list[str]


def _as_user() -> _User:
    return {"user": _USER, "group": _USER, "extra_groups": []} if os.geteuid() == 0 else {}


def _found(program: str) -> str | None:
    """In the newest version that Debian has installed, or on the path."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda folder: float(folder.parent.name), reverse=True)
    return which(program, path=os.pathsep.join(map(str, newest))) or which(program)


def _program(name: str) -> str:
    found = _found(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed")
    return found


def _leash() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL", "--"] if which("setpriv") else []


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
