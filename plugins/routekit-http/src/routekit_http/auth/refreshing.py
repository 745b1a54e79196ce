"""Refresh tokens: what a user has granted once. A server may give another one each time.

One process fetches at a time, by a lease in the store; what it gets is written before anybody uses it, and only if
nobody has written meanwhile. So a rotated refresh token is neither used twice nor lost by a crash of those who wait.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, Literal
from uuid import uuid4

import anyio
from cryptography.fernet import Fernet, InvalidToken
from pydantic import Field, SecretStr

from routekit import Claim, DefinitionError, Seconds

from .granting import ClientAuth
from .signing import AuthSettings, Desk, Signer
from .tokens import TIMEOUT, Token, TokenRefused, TokenSigner, ask_for_token

_NAME = "http-tokens"
_LOOK = 0.2
"""Seconds between two looks, while another process fetches a token."""
_ASKED = 0.75
"""Share of the lease that the token endpoint may take, so that what it gave can be written within the lease."""


class RefreshTokenAuth(AuthSettings):
    """OAuth 2 refresh token (RFC 6749, 6).

    What the server gives is kept in the store, encrypted, before it is used, and all processes that share the store
    use the same tokens: at any time one of them fetches.
    """

    kind: Literal["refresh_token"] = "refresh_token"
    token_url: str
    client_id: str
    client_secret: SecretStr | None = None
    refresh_token: SecretStr = Field(description="the first one, as the user granted it; another one here begins anew")
    store_key: SecretStr = Field(min_length=16, description="a secret text by which tokens are encrypted in the store")
    client_auth: ClientAuth = "post"
    lease: Seconds = Field(default=40.0, ge=1, le=600, description="after it, others fetch for a process that died")

    def signer(self, desk: Desk) -> Signer:
        """Fetches a token when there is none that holds, whoever fetched it."""
        return TokenSigner(partial(_Vault(self, desk).token), desk)


@dataclass(frozen=True)
class _Kept:
    """What the store holds of a grant: the refresh token that counts, the token that it gave, and their version."""

    refresh: str
    token: Token | None
    version: int


@dataclass
class _Vault:
    """The tokens in the store."""

    settings: RefreshTokenAuth
    desk: Desk
    _given: str = ""
    _owner: str = field(default_factory=lambda: uuid4().hex)
    """Of its own: a process may have several, and one that died must not be taken for itself."""

    async def token(self) -> Token:
        """A token other than the one that was given last: from the store if there is one, else from the server."""
        async with self._alone():
            kept = await self._kept()
            token = self._usable(kept) or await self._fetched(kept)
        self._given = token.value
        return token

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        keys, lease = self.desk.store.keys(_NAME), self.settings.lease
        while await keys.claim(self.desk.connection, owner=self._owner, lease=lease) is Claim.HELD:
            await anyio.sleep(_LOOK * (0.5 + self.desk.random.random()))
        try:
            yield
        finally:
            await keys.release(self.desk.connection, owner=self._owner)

    def _usable(self, kept: _Kept) -> Token | None:
        token = kept.token
        return None if token is None or token.value == self._given or not token.fresh(self.desk.now()) else token

    async def _fetched(self, kept: _Kept, *, again: bool = True) -> Token:
        settings = self.settings
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh}
        try:
            token = await ask_for_token(
                self.desk,
                settings.token_url,
                form,
                settings.client_id,
                settings.client_secret,
                settings.client_auth,
                min(TIMEOUT, settings.lease * _ASKED),
            )
        except TokenRefused as error:
            if error.code != "invalid_grant":
                raise
            now = await self._kept() if again else kept
            if now.version != kept.version:  # who was slower than its lease has used ours, and written what it got
                return self._usable(now) or await self._fetched(now, again=False)
            error.hint = "the grant has ended: let the user grant it anew, and write the new refresh_token"
            raise
        return await self._written(kept, token)

    async def _written(self, kept: _Kept, token: Token) -> Token:
        """The token, once it is in the store; if others were faster, the one that holds longer."""
        refresh = str(token.answer.get("refresh_token") or kept.refresh)
        while not await self._put(kept.version, refresh, token):
            kept = await self._kept()
            if kept.token is not None and kept.token.expires > token.expires:
                return kept.token
        return token

    async def _put(self, version: int, refresh: str, token: Token) -> bool:
        said = {
            "seed": self._seed,
            "refresh": refresh,
            "value": token.value,
            "expires": token.expires,
            "life": token.life,
        }
        sealed = self._cipher.encrypt(json.dumps(said).encode()).decode()
        values = self.desk.store.values(_NAME)
        return await values.put(self.desk.connection, sealed, version=version) is not None

    async def _kept(self) -> _Kept:
        first = self.settings.refresh_token.get_secret_value()
        value = await self.desk.store.values(_NAME).get(self.desk.connection)
        if value is None:
            return _Kept(first, None, 0)
        try:
            said: dict[str, Any] = json.loads(self._cipher.decrypt(value.text.encode()))
        except InvalidToken:
            found = f"[http.{self.desk.connection}] auth: the tokens in the store were encrypted by another store_key"
            raise DefinitionError(found, hint="give the one that was used, or a new refresh_token and store") from None
        if said["seed"] != self._seed:
            return _Kept(first, None, value.version)
        return _Kept(str(said["refresh"]), Token(said["value"], said["expires"], said["life"], {}), value.version)

    @property
    def _seed(self) -> str:
        return sha256(self.settings.refresh_token.get_secret_value().encode()).hexdigest()

    @property
    def _cipher(self) -> Fernet:
        secret = self.settings.store_key.get_secret_value().encode()
        return Fernet(urlsafe_b64encode(sha256(secret).digest()))
