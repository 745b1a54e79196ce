"""Who calls, by a JSON Web Token: its signature, its issuer, for whom it is, and until when."""

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import anyio
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from routekit import DefinitionError, RouteKitError, Seconds, Unavailable

from .problems import Refusal

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256", "HS512"]

_LIFE = 3600.0
_AGAIN = 60.0
"""Seconds between two looks for a key that is not there, so that nobody can make us ask all the time."""


class JwtSettings(BaseModel):
    """The table `[http_jwt.NAME]`: whose tokens count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, description="`iss` of the tokens")
    audience: str = Field(min_length=1, description="`aud`, in which we must be named")
    jwks_url: str = Field(default="", description="where the issuer publishes its keys")
    key: Path | None = Field(default=None, description="file of its public key, PEM, instead")
    secret: SecretStr | None = Field(
        default=None, description="shared secret for HS256, of 32 letters at least, instead"
    )
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256"), description="those that count, and no others")
    scope: str = Field(default="", description="scopes that a token must have, in `scope` or `scp`; else 403")
    leeway: Seconds = Field(default=30.0, ge=0, le=60, description="seconds that clocks may differ")

    @model_validator(mode="after")
    def _fits(self) -> "JwtSettings":
        if sum(map(bool, (self.jwks_url, self.key, self.secret))) != 1:
            raise ValueError("give one of jwks_url, key and secret")
        symmetric = {algorithm.startswith("HS") for algorithm in self.algorithms}
        if symmetric != {self.secret is not None}:
            raise ValueError("HS algorithms go with secret, others with jwks_url or key")
        if self.secret is not None and len(self.secret.get_secret_value()) < 32:
            raise ValueError("the secret is too short")
        return self


Fetch = Callable[[], Awaitable[bytes]]
"""`await fetch()`: the key set that the issuer publishes; raises Unavailable."""


class Bearers:
    """Verifies tokens; `now` is wall time in seconds since 1970."""

    def __init__(self, settings: JwtSettings, fetch: Fetch, now: Callable[[], float]) -> None:
        self._settings = settings
        self._fetch = fetch
        self._now = now
        self._keys: Any = None
        self._until = 0.0
        self._looked = 0.0
        self._looking = anyio.Lock()

    async def claims(self, authorization: str) -> Mapping[str, Any]:
        """The claims of the token in `Authorization`; raises Refusal with 401 or 403 and no reason."""
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise _unauthorised("Bearer")
        claims = await self._verified(text.strip())
        granted = claims.get("scope", claims.get("scp", ()))
        scopes = granted.split() if isinstance(granted, str) else [str(each) for each in granted]
        if not set(self._settings.scope.split()) <= set(scopes):
            raise Refusal(403, www_authenticate='Bearer error="insufficient_scope"')
        return claims

    async def _verified(self, text: str) -> Mapping[str, Any]:
        settings = self._settings
        try:
            token = await self._decoded(text)
            jwt.JWTClaimsRegistry(
                now=lambda: int(self._now()),
                leeway=int(settings.leeway),
                iss={"essential": True, "value": settings.issuer},
                aud={"essential": True, "value": settings.audience},
                exp={"essential": True},
            ).validate(token.claims)
        except (JoseError, ValueError, TypeError, KeyError):
            raise _unauthorised('Bearer error="invalid_token"') from None
        return token.claims

    async def _decoded(self, text: str) -> jwt.Token:
        keys = await self._current()
        algorithms = list(self._settings.algorithms)
        try:
            return jwt.decode(text, keys, algorithms=algorithms)
        except (JoseError, ValueError):
            fresh = await self._current(missing=True) if self._settings.jwks_url else keys
            if fresh is keys:
                raise
        return jwt.decode(text, fresh, algorithms=algorithms)

    async def _current(self, *, missing: bool = False) -> Any:
        """The keys; looked up again when they are old, or when one is `missing`, but not all the time."""
        settings, now = self._settings, self._now()
        if settings.secret is not None:
            return self._keys or self._keep(OctKey.import_key(settings.secret.get_secret_value()))
        if settings.key is not None:
            return self._keys or self._keep(await _public_key(settings.key))
        if self._keys is not None and now < self._until and not (missing and now >= self._looked + _AGAIN):
            return self._keys
        async with self._looking:
            if self._looked > now - 1 and self._keys is not None:
                return self._keys  # somebody has looked meanwhile
            await self._look()
        return self._keys

    async def _look(self) -> None:
        self._looked = self._now()
        try:
            found = json.loads(await self._fetch())
            self._keys = KeySet.import_key_set(found)
        except (RouteKitError, ValueError, JoseError, KeyError, TypeError) as error:
            if self._keys is None:
                raise Unavailable(f"the keys at {self._settings.jwks_url} cannot be had: {error}") from error
            self._until = self._now() + _AGAIN  # those that there are hold for a while
        else:
            self._until = self._now() + _LIFE

    def _keep(self, key: Any) -> Any:
        self._keys = key
        return key


async def _public_key(path: Path) -> Any:
    pem = None
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            pem = pem or await anyio.Path(path).read_bytes()
            return kind.import_key(pem)
        except OSError as error:
            raise DefinitionError(f"the key {path} cannot be read: {error.strerror}") from error
        except (ValueError, JoseError, TypeError):
            continue
    raise DefinitionError(f"{path} is no public key", hint="it has to be PEM, of RSA, EC or Ed25519")


def _unauthorised(challenge: str) -> Refusal:
    return Refusal(401, www_authenticate=challenge)
