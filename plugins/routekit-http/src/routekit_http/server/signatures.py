"""Whether a webhook comes from whom it says: signatures over the raw bytes, compared in constant time."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from routekit import Seconds

from .schemes import SCHEMES, Scheme

REMEMBERED = 3600.0
"""Seconds for which the name of a delivery is remembered whose signature has no time."""
_HOLE = re.compile(rb"\{(id|timestamp|method|url|body)\}")


def _several(given: object) -> object:
    """One secret, as the environment gives it, or a list of them."""
    return (given,) if isinstance(given, str) else given


class SignatureSettings(BaseModel):
    """The table `[http_signature.NAME]`: a scheme by its name, what of it is different, and the secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: Literal[
        "stripe",
        "bottlecrm",
        "shopify",
        "github",
        "hubspot",
        "hubspot_v1",
        "hubspot_v2",
        "zendesk",
        "frappe",
        "standard",
        "hmac",
        "token",
        "basic",
    ]
    secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_several)] = Field(
        min_length=1, description="any of them counts, so that they can be rotated"
    )
    tolerance: Seconds = Field(default=300.0, gt=0, description="seconds that a signature's time may be off")
    public_url: str = Field(default="", description="what callers see before the path, where the URL is signed too")
    header: str = Field(default="", description="another header of the signature or token")
    query: str = Field(default="", description="token: the query parameter that holds it, instead of a header")
    signed: str = Field(default="", description="hmac: what is signed, {timestamp}.{body}; else the body")
    encoding: Literal["hex", "base64"] | None = None
    prefix: str = Field(default="", description="what a signature begins with")
    timestamp: str = Field(default="", description="the header of the time that is signed")
    delivery: str = Field(default="", description="the header that names a delivery, the same when it is sent again")
    challenge: str = Field(default="", description="query parameter that is sent back as it is, to prove who listens")

    @model_validator(mode="after")
    def _fits(self) -> "SignatureSettings":
        if self.scheme in ("hmac", "token") and not self.header and not self.query:
            raise ValueError(f"scheme={self.scheme} needs header=...")
        if "{timestamp}" in self.signed and not self.timestamp:
            raise ValueError("a timestamp that is signed needs timestamp=..., the header that holds it")
        return self


@dataclass(frozen=True, slots=True)
class Received:
    """What came, byte by byte."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature that is right; `until` is when it stops being so, in seconds since 1970, if it ever does.

    `known` is what tells the request from others: the name of its delivery, else the signature.
    """

    known: str
    until: float | None


class Verifier:
    """Verifies what is signed by the table's secrets."""

    def __init__(self, settings: SignatureSettings) -> None:
        self._settings = settings
        self._secrets = [secret.get_secret_value() for secret in settings.secrets]
        self._scheme = None if settings.scheme in ("token", "basic") else _scheme(settings)

    def proof(self, received: Received, now: float) -> Proof | None:
        """The proof, or None if there is no right signature of a right time; why is nobody's business."""
        if self._scheme is None:
            return self._token(received)
        given = received.headers.get(self._scheme.header, "")
        parts = [part.strip() for part in given.split(self._scheme.separator)] if self._scheme.separator else [given]
        prefix = self._scheme.prefix
        candidates = [part.removeprefix(prefix) for part in parts if part.startswith(prefix)]
        stamp = self._stamp(received, parts)
        moment = _moment(stamp, self._scheme) if self._scheme.timestamp else now
        if moment is None or not abs(now - moment) <= self._settings.tolerance:  # so that no time (NaN) is never right
            return None
        content = self._content(received, stamp)
        right = [self._signature(secret, content) for secret in self._secrets]
        matches = [each for each in candidates[:20] for other in right if _same(each, other)]
        if not matches:
            return None
        delivery = received.headers.get(self._scheme.delivery, "") if self._scheme.delivery else ""
        if self._scheme.timestamp:
            return Proof(delivery or matches[0], moment + self._settings.tolerance)
        return Proof(delivery, now + REMEMBERED if delivery else None)

    def _token(self, received: Received) -> Proof | None:
        settings = self._settings
        if settings.scheme == "basic":
            expected = ["Basic " + b64encode(secret.encode()).decode() for secret in self._secrets]
            given = received.headers.get("authorization", "")
        else:
            expected = self._secrets
            given = (
                received.query.get(settings.query, "")
                if settings.query
                else received.headers.get(settings.header.lower(), "")
            )
        matches = [other for other in expected if isinstance(given, str) and _same(given, other)]
        return Proof("", None) if matches else None

    def _stamp(self, received: Received, parts: list[str]) -> str:
        assert self._scheme is not None
        name = self._scheme.timestamp
        if name.endswith("="):
            return next((part.removeprefix(name) for part in parts if part.startswith(name)), "")
        return received.headers.get(name, "") if name else ""

    def _content(self, received: Received, stamp: str) -> bytes:
        assert self._scheme is not None
        url = received.url
        if self._settings.public_url:
            url = self._settings.public_url.rstrip("/") + "/" + url.partition("://")[2].partition("/")[2]
        values = {
            b"id": received.headers.get(self._scheme.id, "").encode(),
            b"timestamp": stamp.encode(),
            b"method": received.method.encode(),
            b"url": url.encode(),
            b"body": received.body,
        }
        return _HOLE.sub(lambda found: values[found[1]], self._scheme.signed.encode())

    def _signature(self, secret: str, content: bytes) -> str:
        assert self._scheme is not None
        key = b64decode(secret.removeprefix("whsec_")) if self._scheme.key_is == "base64" else secret.encode()
        digest = sha256(key + content) if self._scheme.plain else hmac(key, content, sha256)
        return digest.hexdigest() if self._scheme.encoding == "hex" else b64encode(digest.digest()).decode()


def _scheme(settings: SignatureSettings) -> Scheme:
    base = SCHEMES.get(settings.scheme, Scheme(settings.header.lower()))
    changes: dict[str, Any] = {
        "header": settings.header.lower(),
        "signed": settings.signed,
        "encoding": settings.encoding,
        "prefix": settings.prefix,
        "timestamp": settings.timestamp.lower(),
        "delivery": settings.delivery.lower(),
    }
    return replace(base, **{name: value for name, value in changes.items() if value})


def _same(given: str, right: str) -> bool:
    return compare_digest(given.encode(), right.encode())


def _moment(stamp: str, scheme: Scheme) -> float | None:
    try:
        if scheme.timestamp_is == "iso":
            found = datetime.fromisoformat(stamp)
            return found.timestamp() if found.tzinfo else None
        return float(stamp) / (1000 if scheme.timestamp_is == "milliseconds" else 1)
    except ValueError:
        return None
