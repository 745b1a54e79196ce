"""Listening: a socket for the control server, at the address that was asked for, or near the default one."""

import errno
import socket
from collections.abc import Iterator

from ..access import Access, address
from ..errors import Unavailable

NEXT = 20
"""Ports after the default one that are tried, before any free one is taken."""

_BACKLOG = 128


def listening(access: Access, taken_by: str = "") -> socket.socket:
    """A socket that listens; its port is another one than the default if that is taken and nobody asked for it.

    Raises Unavailable for an address that cannot be had; `taken_by` says who may have it.
    """
    host, port = address(access.listen)
    for candidate in [port] if access.asked_for else _candidates(port):
        try:
            return _bound(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or (access.asked_for or candidate == 0):
                raise _cannot(access.listen, error, taken_by) from error
    raise AssertionError("any free port is the last candidate")


def url_of(bound: socket.socket) -> str:
    """Where the server is reached from this machine."""
    address: tuple[str, int] = bound.getsockname()[:2]
    host, port = address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what to connect to, not to bind
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _candidates(port: int) -> Iterator[int]:
    yield from range(port, port + NEXT)
    yield 0


def _bound(host: str, port: int) -> socket.socket:
    kind, tcp = socket.SOCK_STREAM, socket.IPPROTO_TCP
    family, *_, where = socket.getaddrinfo(host, port, 0, kind, tcp, socket.AI_PASSIVE)[0]
    bound = socket.socket(family, kind, tcp)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(_BACKLOG)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _cannot(where: str, error: OSError, taken_by: str) -> Unavailable:
    if error.errno == errno.EADDRINUSE:
        hint = f"{taken_by}; " if taken_by else ""
        return Unavailable(
            f"the control server cannot listen on {where}: it is taken",
            hint=f"{hint}choose another port for [control] listen, or leave it out to get a free one",
        )
    return Unavailable(f"the control server cannot listen on {where}: {error.strerror or error}", hint="see [control]")
