"""Marks: which values nobody needs to read, said by the type of a field or by its name, and what is left of them."""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, cast

from .options import MASK, sounds_secret

Kind: TypeAlias = Literal["email", "phone", "name", "address", "iban", "card", "secret", "text"]
"""What a sensitive value is; it says what may be left of it."""


@dataclass(frozen=True, slots=True)
class Sensitive:
    """The mark of a field that is masked wherever RouteKit shows a body by itself.

    `email` leaves the first character and the domain, `phone` and `card` the last digits, `iban` the country and the
    last digits, `name` the first character: so that different values can mostly be told apart. Nothing is left of an
    `address`, a `secret` or a `text`, nor of a value that is too short to hide in its mask.

    >>> Sensitive("email").masked("ada@example.org"), Sensitive("iban").masked("DE89370400440532013000")
    ('a***@example.org', 'DE***3000')
    """

    kind: Kind = "text"

    def masked(self, value: object) -> Any:
        """The value as it is shown; None stays None, and lists stay lists."""
        if value is None or value == "":
            return value
        if isinstance(value, list | tuple | Set):
            return [self.masked(one) for one in cast("Sequence[object]", value)]
        if isinstance(value, str) or (isinstance(value, int) and value.bit_length() < LARGE):
            return _MASKS.get(self.kind, _nothing)(str(value))
        return MASK


LARGE: Final = 4096
"""Bits of a number that is not written out any more."""


def _nothing(value: str) -> str:
    return MASK


def _email(value: str) -> str:
    local, at, domain = value.strip().rpartition("@")
    if not at or len(local) < 2:
        return f"{MASK}@{domain}" if at else MASK
    return f"{local[0]}{MASK}@{domain}"


def _name(value: str) -> str:
    return f"{value[0]}{MASK}" if len(value) > 2 else MASK


def _last(digits: int, least: int) -> Callable[[str], str]:
    def shown(value: str) -> str:
        found = re.sub(r"\W", "", value)
        return f"{MASK}{found[-digits:]}" if len(found) >= least else MASK

    return shown


def _iban(value: str) -> str:
    found = re.sub(r"\W", "", value)
    return f"{found[:2]}{MASK}{found[-4:]}" if len(found) >= 15 else MASK


_MASKS: Final[Mapping[str, Callable[[str], str]]] = {
    "email": _email,
    "phone": _last(2, 7),
    "name": _name,
    "iban": _iban,
    "card": _last(4, 12),
}

_SECRETS: Final = """
    accesskey accountnumber apikey auth authorization bearer cookie credential cvc cvv jwt otp passcode passphrase
    passwd password pin privatekey pwd secret sessionid signature ssn taxid token
"""

_NAMES: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("email", "mail", "emailaddress"), "email"),
    **dict.fromkeys(("phone", "mobile", "telephone", "phonenumber", "fax"), "phone"),
    **dict.fromkeys(("card", "cardnumber", "creditcard", "pan"), "card"),
    "iban": "iban",
    **dict.fromkeys(_SECRETS.split(), "secret"),
}
"""Names of fields and keys that tell what they hold; also as the last words of a longer one, a secret as its first."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def named_sensitive(name: str, keys: Sequence[str] = ()) -> Sensitive | None:
    """The mark that a field has by its name alone; `keys` are further names, which are secrets.

    >>> named_sensitive("userEmail"), named_sensitive("X-Api-Key"), named_sensitive("monkey"), named_sensitive("name")
    (Sensitive(kind='email'), Sensitive(kind='secret'), None, None)
    """
    return _by_name(name, tuple(keys))


@lru_cache(maxsize=4096)
def _by_name(name: str, keys: tuple[str, ...]) -> Sensitive | None:
    words = [word.lower() for word in _WORDS.findall(name)]
    joined = "".join(words)
    if joined in {"".join(word.lower() for word in _WORDS.findall(key)) for key in keys}:
        return Sensitive("secret")
    for cut in range(len(words)):
        kind = _said("".join(words[cut:]))
        if kind is not None:
            return Sensitive(kind)
        if _said("".join(words[: len(words) - cut])) == "secret":
            return Sensitive("secret")
    return Sensitive("secret") if sounds_secret(name) else None


def _said(words: str) -> Kind | None:
    return _NAMES.get(words) or _NAMES.get(words.removesuffix("s"))
