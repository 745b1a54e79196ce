"""Suppressing: records of an erased person stay out, though the systems go on reporting them.

What is remembered of them are hashes, keyed by a secret of the pair that lies beside them: of the ids that the records
had, and of their match keys. In an encrypted store nobody without its key can try addresses on them. The index of match
keys of half links is hashed so too.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from hmac import new as hmac

from routekit import Value, ValueChange
from routekit.remotes import Record

from .ledger import Ledger
from .units import Side

_SALT = "salt"
"""The key of the value that holds the secret."""

_GONE = "gone/"


async def secret_of(ledger: Ledger) -> bytes:
    """The secret of the pair; it is made if there is none yet."""
    found = await ledger.values.get(_SALT)
    if found is None:
        made = await ledger.values.put(_SALT, os.urandom(32).hex(), version=0)
        found = made or await ledger.values.get(_SALT)
        assert found is not None
    return bytes.fromhex(found.text)


async def known_secret(ledger: Ledger) -> bytes | None:
    """The secret of the pair, if there is one; nothing is written."""
    found = await ledger.values.get(_SALT)
    return None if found is None else bytes.fromhex(found.text)


def places(secret: bytes, side: Side, id: str, keys: Mapping[str, str]) -> list[str]:
    """Where it is remembered that a record stays out: by its id, and by each of its match keys, by their rules."""
    return [_place(secret, "id", side, id), *(keyed_place(secret, rule, text) for rule, text in keys.items())]


def key_place(secret: bytes, side: Side, rule: str, text: str) -> str:
    """Where the half links of a side are kept that have that match key; the same for both but for the side."""
    return f"key/{side}/{rule}/{_hashed(secret, rule, text)}"


def keyed_place(secret: bytes, rule: str, text: str) -> str:
    """Where it is remembered that records with that match key stay out, on either side."""
    return _place(secret, "key", rule, text)


def remembered(where: Iterable[str], erasure: str) -> list[ValueChange]:
    """What remembers it, with the id of the erasure by which it can be forgotten again."""
    return [ValueChange(place, erasure) for place in dict.fromkeys(where)]


async def kept_out(
    ledger: Ledger, side: Side, records: Sequence[Record], keys: Mapping[str, Mapping[str, str]]
) -> set[str]:
    """The ids of those records that belong to somebody who was erased; `keys` are their match keys, by id and rule."""
    if not records or not any(key.startswith(_GONE) for key, _ in await ledger.values.items(after=_GONE, limit=1)):
        return set()
    own = await secret_of(ledger)
    of = {record.id: places(own, side, record.id, keys.get(record.id, {})) for record in records}
    known: Mapping[str, Value] = await ledger.values.many([place for those in of.values() for place in those])
    return {own for own, those in of.items() if any(place in known for place in those)}


def _place(secret: bytes, *parts: str) -> str:
    return f"{_GONE}{_hashed(secret, *parts)}"


def _hashed(secret: bytes, *parts: str) -> str:
    return hmac(secret, chr(31).join(parts).encode(errors="replace"), sha256).hexdigest()[:40]
