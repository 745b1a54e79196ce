"""Access: where the daemon can be asked and steered, and by whom; the table `[control]` of the settings."""

from hmac import compare_digest
from ipaddress import ip_address
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from .errors import BadOption

PORT = 7180
"""Where a daemon listens if nothing else is said."""

SHORTEST = 16
"""Characters of a token that nobody guesses."""


class Access(BaseModel):
    """The table `[control]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: str = Field(
        default=f"127.0.0.1:{PORT}",
        description="address and port of console and control API; empty: there is none",
    )
    token: SecretStr | None = Field(
        default=None, description=f"what an operator shows, {SHORTEST} characters or more; needed unless on loopback"
    )
    reader_token: SecretStr | None = Field(
        default=None, description="what somebody shows who may look, and change nothing"
    )
    rate: int = Field(default=100, ge=1, description="requests in a second that one client may make, for long")
    connections: int = Field(default=200, ge=4, description="connections at once, of all clients")

    @field_validator("listen")
    @classmethod
    def _listen(cls, text: str) -> str:
        if text:
            address(text)
        return text

    @field_validator("token", "reader_token")
    @classmethod
    def _token(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < SHORTEST:
            raise ValueError(f"it has less than {SHORTEST} characters; `openssl rand -hex 16` makes a good one")
        if secret is not None and not secret.get_secret_value().isascii():
            raise ValueError("it has letters that a header cannot carry")
        return secret

    @property
    def asked_for(self) -> bool:
        """Whether somebody wrote where to listen: then it is there or nowhere."""
        return "listen" in self.model_fields_set

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(address(self.listen)[0])

    def problem(self) -> BadOption | None:
        """Why a daemon must not listen so."""
        if not self.listen or self.local or self.token or self.reader_token:
            return None
        return BadOption(
            f'[control] listen = "{self.listen}" is open to others, and no token is set',
            hint="set token (of operators) or reader_token in [control], or listen on 127.0.0.1",
        )

    def role(self, shown: str) -> Literal["reader", "operator"] | None:
        """The role of who shows this token; None if it is none of ours. Takes as long for a wrong one as for another.

        >>> Access(token="0123456789abcdef").role("0123456789abcdef")
        'operator'
        """
        roles: list[tuple[SecretStr | None, Literal["reader", "operator"]]] = [
            (self.token, "operator"),
            (self.reader_token, "reader"),
        ]
        found: Literal["reader", "operator"] | None = None
        for token, role in roles:
            if token is not None and compare_digest(token.get_secret_value().encode(), shown.encode()):
                found = found or role
        return found


def address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:7180`, `[::1]:7180` or `0.0.0.0:80`; raises ValueError.

    >>> address("[::1]:7180"), address("localhost:0")
    (('::1', 7180), ('localhost', 0))
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError("write an address and a port, such as 127.0.0.1:7180 or [::1]:7180")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, which no other one can reach.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("10.0.0.1"), is_loopback("evil.example")
    (True, True, False, False)
    """
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
