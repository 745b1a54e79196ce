"""Refresh tokens: what a user has granted once. A server may give another one each time."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Literal

import anyio
from cryptography.fernet import Fernet, InvalidToken
from pydantic import Field, SecretStr

from routekit import Claim, DefinitionError

from .granting import ClientAuth
from .signing import AuthSettings, Desk, Signer
from .tokens import Token, TokenRefused, TokenSigner, ask_for_token

_NAME = "http-tokens"
_LEASE = 60.0
_LOOK = 0.2
"""Seconds between two looks, while another process fetches a token."""


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

    def signer(self, desk: Desk) -> Signer:
        """Fetches a token when there is none that holds, whoever fetched it."""
        return TokenSigner(partial(_Vault(self, desk).token), desk.now)


@dataclass
class _Vault:
    """The tokens in the store."""

    settings: RefreshTokenAuth
    desk: Desk
    _given: str = ""

    async def token(self) -> Token:
        """A token other than the one that was given last: from the store if there is one, else from the server."""
        keys, owner = self.desk.store.keys(_NAME), self.desk.store.owner
        while await keys.claim(self.desk.connection, owner=owner, lease=_LEASE) is Claim.HELD:
            await anyio.sleep(_LOOK)
        try:
            kept = await self._kept()
            token = _token(kept)
            if token is None or token.value == self._given or not token.fresh(self.desk.now()):
                token = await self._fetched(str(kept["refresh"]))
        finally:
            await keys.release(self.desk.connection, owner=owner)
        self._given = token.value
        return token

    async def _fetched(self, refresh: str) -> Token:
        settings = self.settings
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        try:
            token = await ask_for_token(
                self.desk, settings.token_url, form, settings.client_id, settings.client_secret, settings.client_auth
            )
        except TokenRefused as error:
            if error.code == "invalid_grant":
                error.hint = "the grant has ended: let the user grant it anew, and write the new refresh_token"
            raise
        rotated = str(token.answer.get("refresh_token") or refresh)
        kept = {
            "seed": self._seed,
            "refresh": rotated,
            "value": token.value,
            "expires": token.expires,
            "life": token.life,
        }
        sealed = self._cipher.encrypt(json.dumps(kept).encode()).decode()
        await self.desk.store.marks(_NAME).put(self.desk.connection, sealed)  # before it is used: nobody has another
        return token

    async def _kept(self) -> dict[str, Any]:
        begin = {"refresh": self.settings.refresh_token.get_secret_value()}
        sealed = await self.desk.store.marks(_NAME).get(self.desk.connection)
        if sealed is None:
            return begin
        try:
            kept: dict[str, Any] = json.loads(self._cipher.decrypt(sealed.encode()))
        except InvalidToken:
            found = f"[http.{self.desk.connection}] auth: the tokens in the store were encrypted by another store_key"
            raise DefinitionError(found, hint="give the one that was used, or a new refresh_token and store") from None
        return kept if kept["seed"] == self._seed else begin

    @property
    def _seed(self) -> str:
        return sha256(self.settings.refresh_token.get_secret_value().encode()).hexdigest()

    @property
    def _cipher(self) -> Fernet:
        secret = self.settings.store_key.get_secret_value().encode()
        return Fernet(urlsafe_b64encode(sha256(secret).digest()))


def _token(kept: dict[str, Any]) -> Token | None:
    if "value" not in kept:
        return None
    return Token(kept["value"], kept["expires"], kept["life"], {})
