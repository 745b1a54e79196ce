"""For tests: a RabbitMQ server of one's own, in a folder, on free ports of the loopback interface.

with Server(folder) as server:
    url = server.url            # amqp://guest:guest@127.0.0.1:43211/
    server.kill()               # as a power cut
    server.start()              # on the same data
"""

import os
import secrets
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from shutil import which
from time import monotonic, sleep
from types import TracebackType
from typing import Self

_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/opt/homebrew/sbin", "/usr/local/sbin")
_QUIET = "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
_LEASH = 'exec 3<&0; (read _ <&3; kill -9 -$$) & exec "$@" </dev/null 3<&-'
"""Becomes the command, beside one that waits for the pipe to us to be closed, and then ends them all."""


def installed(name: str = "rabbitmq-server") -> str | None:
    """The script that starts a server, or None: on Debian the one behind `/usr/sbin`, which wants a system user."""
    return which(name, path=os.pathsep.join(_FOLDERS)) or which(name)


class Server:
    """One node, with a node name, cookie and port mapper of its own: it meets no other on this machine.

    `extra` are lines of its configuration. The folder keeps its data: a server that was killed can be started again.
    All ports stay the same. The processes end with the process that started them.
    """

    def __init__(self, folder: Path, *, extra: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port, self.tls_port, self._distribution, self._mapper = _free_ports(4)
        self._mapping: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None
        (folder / "rabbitmq.conf").write_text(_configuration(self.port) + extra.format(tls_port=self.tls_port))
        (folder / "enabled_plugins").write_text("[].\n")
        cookie = folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(10))
            cookie.chmod(0o400)

    @property
    def url(self) -> str:
        """Where it is, with the user that every new server has."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self, within: float = 60.0) -> None:
        """Start it, and return when it takes connections; raises RuntimeError with its log if it does not."""
        program = installed()
        if program is None:
            raise RuntimeError("rabbitmq-server is not installed")
        if self._mapping is None:
            self._mapping = self._spawn("epmd", "-port", str(self._mapper), "-address", "127.0.0.1")
        self._node = self._spawn(program)
        end = monotonic() + within
        while not _listening(self.port):
            if self._node.poll() is not None or monotonic() > end:
                self.close()
                raise RuntimeError(f"RabbitMQ did not start: {self.log[-2000:]}")
            sleep(0.05)

    def stop(self, within: float = 60.0) -> None:
        """End it in an orderly way, which takes some seconds."""
        if self._node is not None:
            self._node.terminate()
            self._node.wait(within)
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would; what it has confirmed is on the disk."""
        node, self._node = self._node, None
        if node is not None:
            _end(node)

    def freeze(self) -> None:
        """Let it hang: connections stay open, and nothing comes any more."""
        if self._node is not None:
            os.killpg(self._node.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        if self._node is not None:
            os.killpg(self._node.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it and its port mapper; the folder stays."""
        self.kill()
        mapping, self._mapping = self._mapping, None
        if mapping is not None:
            _end(mapping)

    def control(self, *command: str) -> str:
        """What `rabbitmqctl` prints; takes about a second. Raises CalledProcessError."""
        program = installed("rabbitmqctl") or "rabbitmqctl"
        environment = self._environment()
        done = subprocess.run([program, *command], env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - a test's own
        return done.stdout

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - a test's own
                ["/bin/sh", "-c", _LEASH, "sh", *command],
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            **os.environ,
            "HOME": str(folder),
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node itself, so that its process id is known
            "RABBITMQ_NODENAME": f"routekit-{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _QUIET,
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }


def _configuration(port: int) -> str:
    return f"""listeners.tcp.1 = 127.0.0.1:{port}
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
"""


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
