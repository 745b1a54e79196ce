"""Texts as nobody can read them without a key: AES-256 in GCM, with the place of a text bound into it."""

import os
from base64 import b64decode, b64encode, urlsafe_b64decode
from binascii import Error as NoBase64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from ..errors import BadOption, StoreError
from ..extras import library

PREFIX = "sealed:"
"""What every sealed text begins with; the version, the id of the key, and the text follow."""

_VERSION = "1"
_NONCE = 12


class Cipher:
    """Seals with the first of the keys, and opens with any of them. A text without the prefix was kept before."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        cipher = library("cryptography.hazmat.primitives.ciphers.aead", extra="encryption", asked="an encrypted store")
        self._ciphers: Mapping[str, Any] = {_id_of(key): cipher.AESGCM(key) for key in keys}
        self._first = _id_of(keys[0])

    def seal(self, text: str, *place: str) -> str:
        """The text, sealed for that place: it cannot be opened at another."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._first].encrypt(nonce, text.encode("utf-8", "surrogatepass"), _bound(place))
        return f"{PREFIX}{_VERSION}:{self._first}:{b64encode(nonce + sealed).decode()}"

    def open(self, text: str, *place: str) -> str:
        """What was sealed; raises StoreError without its key, and for a text that was changed or moved."""
        if not text.startswith(PREFIX):
            return text
        version, _, rest = text.removeprefix(PREFIX).partition(":")
        if version != _VERSION:
            found = f"a text is sealed in version {version}, this RouteKit reads version {_VERSION}"
            raise StoreError(found, hint="upgrade RouteKit; the text stays where it is")
        key, _, data = rest.partition(":")
        if key not in self._ciphers:
            found = f"the store was encrypted with another key, of the id {key}; given: {', '.join(self._ciphers)}"
            raise StoreError(found, hint="give the key that it had, after a comma if there is a new one: key=NEW,OLD")
        return self._opened(self._ciphers[key], data, place)

    def is_first(self, text: str) -> bool:
        """Whether it is sealed with the first key."""
        return text.startswith(f"{PREFIX}{_VERSION}:{self._first}:")

    def _opened(self, cipher: Any, data: str, place: Sequence[str]) -> str:
        invalid = library("cryptography.exceptions", extra="encryption", asked="an encrypted store").InvalidTag
        try:
            raw = b64decode(data, validate=True)
            opened: bytes = cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _bound(place))
            return opened.decode("utf-8", "surrogatepass")
        except (invalid, NoBase64, ValueError) as error:
            where = " ".join(place)
            raise StoreError(f"an encrypted text was changed, or belongs elsewhere: {where}") from error


def cipher_of(text: str) -> Cipher:
    """The cipher of one or several keys, separated by commas; raises BadOption, which never shows a key."""
    return Cipher([_key(one.strip(), number) for number, one in enumerate(text.split(","), 1)])


def _key(text: str, number: int) -> bytes:
    try:
        key = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        key = b""
    if len(key) != 32:
        found = f"key {number} of the store has {len(text)} characters, and is no key of 32 bytes"
        raise BadOption(found, hint="`routekit store key` makes one; keep it with the other secrets")
    return key


def _id_of(key: bytes) -> str:
    return sha256(b"routekit store key" + key).hexdigest()[:8]


def _bound(place: Sequence[str]) -> bytes:
    return "\0".join(place).encode("utf-8", "surrogatepass")
