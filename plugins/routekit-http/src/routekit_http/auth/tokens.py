"""Access tokens: asked for at an endpoint, kept until they nearly expire, renewed once for all who wait."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import anyio
import httpx
from pydantic import SecretStr

from ..errors import HttpUnavailable
from ..waits import retry_after
from .bearing import basic
from .signing import Desk

EXPIRY = 3600.0
"""Seconds that a token is taken to last which does not say how long."""
_AHEAD = 0.1
"""A token is renewed when this share of its life is left, but never more than a minute ahead."""
_EARLIER = 1.0
"""Who renews does so earlier by up to this share of that: so that not all of many processes do it at one moment."""
_SKEW = 5.0
"""Seconds before its end from which a token is not used any more: clocks differ."""
TIMEOUT = 30.0
"""Seconds that the token endpoint may take."""


@dataclass(frozen=True)
class Token:
    """An access token; `expires` is wall time in seconds since 1970. `answer` is all that the endpoint gave."""

    value: str
    expires: float
    life: float
    answer: Mapping[str, Any]

    def fresh(self, now: float, earlier: float = 0.0) -> bool:
        """Whether it need not be renewed yet; `earlier` is by which share of the usual time that is done earlier."""
        return now < self.expires - min(60.0, self.life * _AHEAD) * (1 + earlier)

    def holds(self, now: float) -> bool:
        """Whether it can be used, though it is to be renewed."""
        return now < self.expires - min(_SKEW, self.life * _AHEAD / 2)


class TokenSigner:
    """Adds the current token. However many need a new one at once, it is fetched once.

    While it is fetched the others go on with the old one, as long as that holds.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Token]], desk: Desk) -> None:
        self._fetch = fetch
        self._now = desk.now
        self._earlier = desk.random.random() * _EARLIER
        self._token: Token | None = None
        self._fetching = anyio.Lock()

    async def sign(self, request: httpx.Request) -> None:
        """Add the token as a bearer; raises HttpUnavailable if none is to be had."""
        token = self._token
        if token is None or not token.fresh(self._now(), self._earlier):
            used = token is not None and self._fetching.locked() and token.holds(self._now())
            token = token if used and token is not None else await self._next(token)
        request.headers["authorization"] = f"Bearer {token.value}"

    async def renew(self, request: httpx.Request) -> bool:
        """Fetch another token than the request has, unless somebody has done so meanwhile."""
        used = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._token is None or self._token.value == used:
            await self._next(self._token, refused=True)
        return True

    async def _next(self, old: Token | None, *, refused: bool = False) -> Token:
        async with self._fetching:
            if self._token is not None and self._token is not old:
                return self._token
            try:
                token = self._token = await self._fetched()
            except HttpUnavailable:
                if refused or old is None or not old.holds(self._now()):
                    raise
                return old
            return token

    async def _fetched(self) -> Token:
        with anyio.CancelScope(shield=True):  # a new token that is thrown away may be the only one that counts
            return await self._fetch()
        raise AssertionError("a shield swallows nothing")


async def ask_for_token(
    desk: Desk,
    url: str,
    form: Mapping[str, str],
    client_id: str,
    secret: SecretStr | None,
    method: str,
    timeout: float = TIMEOUT,
) -> Token:
    """Post a form to a token endpoint (RFC 6749); raises HttpUnavailable, which shows no secret.

    `error` is the error's code there, such as `invalid_grant`, where one is given.
    """
    fields, headers = dict(form), {"accept": "application/json"}
    if secret is not None and method == "basic":
        encoded = SecretStr(quote(secret.get_secret_value(), safe=""))  # RFC 6749, 2.3.1
        headers["authorization"] = basic(quote(client_id, safe=""), encoded).get_secret_value()
    else:
        fields["client_id"] = client_id
        if secret is not None:
            fields["client_secret"] = secret.get_secret_value()
    where = f"[http.{desk.connection}] auth"
    asked = desk.now()  # its life may have begun before the answer is here
    try:
        with anyio.fail_after(timeout):
            response = await desk.client.post(url, data=fields, headers=headers)
    except (httpx.HTTPError, TimeoutError) as error:
        found = f"{where}: the token endpoint cannot be reached: {type(error).__name__}"
        raise HttpUnavailable(found, sent=False) from error
    return _token(response, where, asked)


def _token(response: httpx.Response, where: str, now: float) -> Token:
    answer = _fields(response)
    if response.is_success and answer.get("access_token"):
        try:
            life = float(answer.get("expires_in") or EXPIRY)
        except (TypeError, ValueError):
            life = EXPIRY
        return Token(str(answer["access_token"]), now + life, life, answer)
    code = str(answer.get("error", ""))
    found = f"{where}: no token was given: {response.status_code} {code}".rstrip()
    wait = retry_after(response.headers, now)
    raise TokenRefused(found, status=response.status_code, retry_after=wait, sent=False, code=code)


def _fields(response: httpx.Response) -> Mapping[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", answer) if isinstance(answer, Mapping) else {}


class TokenRefused(HttpUnavailable):
    """The token endpoint gives no token; `code` says why, as RFC 6749, 5.2 has it."""

    def __init__(self, message: str, *, code: str, **options: Any) -> None:
        super().__init__(message, hint="check the credentials of the connection", **options)
        self.code = code
