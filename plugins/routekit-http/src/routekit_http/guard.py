"""Where a URL may lead that comes with data: to no address of a private network (server-side request forgery).

The address is checked after the name is resolved, and it is that address which is connected to: a name that resolves
to another one a moment later changes nothing.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, cast

import anyio
import httpcore
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from .errors import HttpRejected

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as IPv6 networks reach them (RFC 6052)."""


def check_url(url: httpx.URL) -> None:
    """Raise HttpRejected for a URL that says itself that it must not be asked."""
    if url.scheme not in ("http", "https") or not url.host:
        raise HttpRejected(f"'{url.scheme}:' cannot be asked", hint="it has to be http or https")
    if url.userinfo:
        raise HttpRejected("a URL that comes with data has a user in it", hint="credentials belong to a connection")
    try:
        ip_address(url.host.partition("%")[0])
    except ValueError:  # a name: what it resolves to is checked
        return
    check_address(url.host, url.host)


def check_address(address: str, host: str) -> None:
    """Raise HttpRejected for an address that is not one of the public internet.

    >>> check_address("93.184.215.14", "example.com")
    >>> check_address("::ffff:169.254.169.254", "example.com")
    Traceback (most recent call last):
    routekit_http.errors.HttpRejected: example.com is at ::ffff:169.254.169.254, which is not a public address; ...
    """
    if not _public(address):
        where = f"{host} is at {address}, which" if host != address else address
        hint = "if it is meant to be asked, write allow_private=true"
        raise HttpRejected(f"{where} is not a public address", hint=hint)


def _public(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    inner: IPv4Address | IPv6Address | None = None
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _TRANSLATED:
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
    if inner is not None and not _public(str(inner)):
        return False
    return (found.is_global or found in _TRANSLATED) and not found.is_multicast


class GuardedResolver(AbstractResolver):
    """Resolves names for aiohttp, to public addresses only."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """The addresses; raises HttpRejected if one of them is not public."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            check_address(one["host"], host)
        return found

    async def close(self) -> None:
        """Nothing is held."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects for httpcore, to public addresses only."""

    def __init__(self) -> None:
        self._inner = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that answers; raises HttpRejected if one of them is not public."""
        addresses = await self._resolved(host, port)
        for address in addresses:
            check_address(address, host)
        last: Exception | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        """Never: it is an address of this machine."""
        raise httpcore.ConnectError("a socket of this machine cannot be asked")

    async def sleep(self, seconds: float) -> None:
        """Wait between tries."""
        await anyio.sleep(seconds)

    async def _resolved(self, host: str, port: int) -> list[str]:
        try:
            found = await anyio.getaddrinfo(host, port, type=1)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
