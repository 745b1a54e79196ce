"""Credentials that never change: user and password, a token, a key."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Literal

import httpx
from pydantic import Field, SecretStr

from .signing import AuthSettings, Desk


class BasicAuth(AuthSettings):
    """User and password (RFC 7617)."""

    kind: Literal["basic"] = "basic"
    user: str
    password: SecretStr

    def signer(self, desk: Desk) -> "Fixed":
        """Adds `Authorization: Basic`."""
        return Fixed("authorization", basic(self.user, self.password))


class BearerAuth(AuthSettings):
    """A token that does not expire (RFC 6750)."""

    kind: Literal["bearer"] = "bearer"
    token: SecretStr
    prefix: str = Field(default="Bearer", description="the word before it, such as `token`")

    def signer(self, desk: Desk) -> "Fixed":
        """Adds `Authorization: Bearer`."""
        return Fixed("authorization", SecretStr(f"{self.prefix} {self.token.get_secret_value()}"))


class ApiKeyAuth(AuthSettings):
    """A key in a header, or in the query where the API knows no better."""

    kind: Literal["api_key"] = "api_key"
    key: SecretStr
    header: str = Field(default="x-api-key", description="the header that takes the key")
    query: str = Field(default="", description="the query parameter that takes it instead")

    def signer(self, desk: Desk) -> "Fixed":
        """Adds the key."""
        return Fixed(self.header.lower(), self.key, self.query)


@dataclass(frozen=True)
class Fixed:
    """Adds one header, or one query parameter; there are no others to be had."""

    header: str
    value: SecretStr
    query: str = ""

    async def sign(self, request: httpx.Request) -> None:
        """Add it."""
        if self.query:
            request.url = request.url.copy_set_param(self.query, self.value.get_secret_value())
        else:
            request.headers[self.header] = self.value.get_secret_value()

    async def renew(self, request: httpx.Request) -> bool:
        """Never."""
        return False


def basic(user: str, password: SecretStr) -> SecretStr:
    """The value of `Authorization` for a user and password."""
    return SecretStr("Basic " + b64encode(f"{user}:{password.get_secret_value()}".encode()).decode())
