"""Logging in where the API has a way of its own: a plugin says how, and gives the headers that come of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import anyio
import httpx
from pydantic import SecretStr

from ..errors import HttpUnavailable
from .bearing import BasicAuth

_TIMEOUT = 30.0


@dataclass(frozen=True)
class Entrance:
    """What a login gets: who it is, and a way to ask before anybody is logged in."""

    url: str
    """Where the API begins."""
    user: str
    password: SecretStr
    client: httpx.AsyncClient = field(repr=False)

    async def post(self, path: str, document: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """What a JSON document that is sent there is answered; raises HttpUnavailable without an answer."""
        try:
            with anyio.fail_after(_TIMEOUT):
                return await self.client.post(self.url + path, json=document, headers=dict(headers or {}))
        except (httpx.HTTPError, TimeoutError) as error:
            found = f"the login of {self.url} cannot be reached: {type(error).__name__}"
            raise HttpUnavailable(found, sent=False) from error


Login: TypeAlias = Callable[[Entrance], Awaitable[Mapping[str, str]]]
"""The headers that requests need; raises HttpUnavailable, with `sent=False` and no secret, if it is refused."""


class SessionSigner:
    """Adds the headers of a login. However many need one at once, it is done once; a 401 asks for another."""

    def __init__(self, login: Login, url: str, auth: BasicAuth, client: httpx.AsyncClient) -> None:
        self._login = login
        self._entrance = Entrance(url, auth.user, auth.password, client)
        self._headers: Mapping[str, str] | None = None
        self._entering = anyio.Lock()

    async def sign(self, request: httpx.Request) -> None:
        """Add the headers; raises HttpUnavailable if there are none to be had."""
        request.headers.update(self._headers or await self._next(None))

    async def renew(self, request: httpx.Request) -> bool:
        """Log in anew, unless somebody has done so since the request was signed."""
        known = self._headers
        if known is not None and all(request.headers.get(name) == value for name, value in known.items()):
            await self._next(known)
        return True

    async def _next(self, old: Mapping[str, str] | None) -> Mapping[str, str]:
        async with self._entering:
            if self._headers is None or self._headers is old:
                self._headers = None
                self._headers = await self._login(self._entrance)
            return self._headers
