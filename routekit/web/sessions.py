"""Sessions: who sits before the browser, in a signed cookie; and the token by which a form shows that it is ours.

Nothing is kept here: a cookie says who, until when, and a random word, under a key that lives as long as the process.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from ..operating.desk import Operator

LASTS = 12 * 3600.0
"""Seconds after which one logs in again."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who it is, and the token of the forms on pages that were made for them."""

    who: Operator
    csrf: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Gives and reads cookies; `clock` is seconds since 1970."""

    clock: Callable[[], float]
    key: bytes = field(repr=False)

    def begun(self, who: Operator) -> str:
        """A cookie for an operator."""
        data = json.dumps([who.name, who.role, self.clock() + LASTS, secrets.token_urlsafe(12)])
        body = urlsafe_b64encode(data.encode()).decode()
        return f"{body}.{self._sign('cookie', body)}"

    def read(self, cookie: str | None) -> Session | None:
        """Whose cookie it is; None if it is none of ours, or too old."""
        body, _, sign = (cookie or "").partition(".")
        if not body or not hmac.compare_digest(sign.encode(), self._sign("cookie", body).encode()):
            return None
        try:
            name, role, until, _ = json.loads(urlsafe_b64decode(body))
        except (Error, ValueError):  # signed by us, so never
            return None
        if until < self.clock():
            return None
        return Session(Operator(name, role), self._sign("form", body))

    def _sign(self, what: str, text: str) -> str:
        return hmac.new(self.key, f"{what} {text}".encode(), sha256).hexdigest()
