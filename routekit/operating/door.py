"""Door: who may come in to console and control API, and as what."""

from hmac import compare_digest
from secrets import token_urlsafe

from ..access import Access
from .desk import Operator

LONGEST = 64
"""Characters of a name in the audit."""


class Door:
    """Knows the tokens of a daemon. `own` is that of this run, for tools of the same machine and user.

    It is `open` where only this machine can reach the daemon and no token is set: then who shows none is an operator.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self.own = token_urlsafe(32)
        self.open = access.local and access.token is None and access.reader_token is None

    def admitted(self, token: str | None, name: str = "") -> Operator | None:
        """Who shows this token, or none; None for somebody who must not come in. A `name` is what he says he is called.

        Raises nothing; takes as long for a token that is nearly right as for any other.
        """
        if token is None:
            return Operator(_clean(name) or "console", "operator") if self.open else None
        role = self._access.role(token)
        if compare_digest(self.own.encode(), token.encode(errors="replace")):
            role = "operator"
        return None if role is None else Operator(_clean(name) or role, role)


def _clean(name: str) -> str:
    """A name as the audit takes it: one line, not too long."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:LONGEST]
