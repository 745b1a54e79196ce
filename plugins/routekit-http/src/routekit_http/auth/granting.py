"""Tokens that can be had again at any time: by the client's own secret, or by a signed assertion."""

from functools import partial
from pathlib import Path
from typing import Literal
from uuid import uuid4

import anyio
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from pydantic import Field, SecretStr

from routekit import DefinitionError, Seconds

from ..values import Pairs
from .signing import AuthSettings, Desk, Signer
from .tokens import Token, TokenSigner, ask_for_token

ClientAuth = Literal["post", "basic"]


class ClientCredentialsAuth(AuthSettings):
    """OAuth 2 client credentials (RFC 6749, 4.4)."""

    kind: Literal["client_credentials"] = "client_credentials"
    token_url: str
    client_id: str
    client_secret: SecretStr
    scope: str = ""
    client_auth: ClientAuth = Field(default="post", description="where the secret goes: the form, or a basic header")
    extra: Pairs = Field(default=(), description="further fields of the form, such as audience or resource")

    def signer(self, desk: Desk) -> Signer:
        """Fetches a token when there is none, and shortly before it expires."""
        form = {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {}), **dict(self.extra)}
        fetch = partial(ask_for_token, desk, self.token_url, form, self.client_id, self.client_secret, self.client_auth)
        return TokenSigner(fetch, desk)


class JwtBearerAuth(AuthSettings):
    """A signed assertion for a token (RFC 7523), as Salesforce and Google take it."""

    kind: Literal["jwt_bearer"] = "jwt_bearer"
    token_url: str
    issuer: str = Field(description="`iss`: the client's id")
    subject: str = Field(default="", description="`sub`: the user for whom it acts")
    audience: str = Field(default="", description="`aud`; the token endpoint if unset")
    key: Path = Field(description="file of the private key, PEM")
    key_id: str = Field(default="", description="`kid` in the head of the assertion")
    algorithm: Literal["RS256", "ES256"] = "RS256"
    scope: str = ""
    life: Seconds = Field(default=180.0, gt=0, le=3600, description="seconds that an assertion holds")
    skew: Seconds = Field(default=10.0, ge=0, description="seconds that our clock may be ahead of theirs")

    def signer(self, desk: Desk) -> Signer:
        """Signs an assertion whenever a token is needed."""
        return TokenSigner(partial(self._fetch, desk), desk)

    async def _fetch(self, desk: Desk) -> Token:
        try:
            pem = await anyio.Path(self.key).read_bytes()
            key = RSAKey.import_key(pem) if self.algorithm == "RS256" else ECKey.import_key(pem)
        except (OSError, ValueError) as error:
            raise DefinitionError(f"[http.{desk.connection}] auth: key {self.key} cannot be read: {error}") from error
        now = int(desk.now())
        claims = {
            "iss": self.issuer,
            "sub": self.subject or self.issuer,
            "aud": self.audience or self.token_url,
            "iat": now - int(self.skew),
            "exp": now + int(self.life),
            "jti": uuid4().hex,
            **({"scope": self.scope} if self.scope else {}),
        }
        head = {"alg": self.algorithm, **({"kid": self.key_id} if self.key_id else {})}
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": jwt.encode(head, claims, key, algorithms=[self.algorithm]),
        }
        return await ask_for_token(desk, self.token_url, form, self.issuer, None, "post")
