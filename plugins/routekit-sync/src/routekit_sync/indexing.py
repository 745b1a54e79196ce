"""Indexing: what half links are found by, and which of them wait for a person."""

import json

from routekit import ValueChange

from .ledger import Ledger
from .state import Link

CONFIRM = "to be confirmed"
"""How the reason begins of a half link that has a match which is not certain."""


def unconfirmed(link: Link) -> bool:
    """Whether a person has to say which record a link belongs to."""
    return link.state == "parked" and link.why.startswith(CONFIRM)


def alone(link: Link) -> bool:
    """Whether a link has one record only, and may get another one."""
    return (link.a is None) != (link.b is None) and (link.state == "half" or unconfirmed(link))


async def unkeyed(ledger: Ledger, link: Link) -> list[ValueChange]:
    """What takes a link out of the index of match keys, once it is no half link any more."""
    found = await ledger.values.many(link.keys)
    changes: list[ValueChange] = []
    for place, value in found.items():
        rest = [each for each in json.loads(value.text) if each != link.id]
        changes.append(ValueChange(place, json.dumps(rest) if rest else None, value.version))
    return changes
