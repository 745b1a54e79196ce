"""Erasing: all that pairs remember of a person is found, given out or forgotten, and does not come back.

A person is named by values as they stand in fields of records (an address, a number), or by ids of records. A record is
the person's if one of its fields is such a value; one whose texts only mention it is reported, and stays. Each link is
forgotten with all that belongs to it in one transaction, so an erasure that was broken off goes on when it is repeated.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from routekit import Unavailable, UnknownName, ValueChange
from routekit.remotes import Record

from .kept import Conflict, Quarantined
from .ledger import SIDES, Known, Ledger, ids
from .linking import key_of, keys_of
from .pair import SyncPair
from .state import Link, Shadow
from .suppressing import key_place, keyed_place, known_secret, places, remembered, secret_of
from .units import Side

_SHORTEST = 5
"""Letters and digits of the shortest value that is looked for within longer texts."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, as the systems know it: values of fields, and ids of records."""

    values: Sequence[str]

    def is_value(self, value: object) -> bool:
        """Whether a value of a field is one of the person's, however it is spelled."""
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return any(_plain(str(value)) == _plain(one) for one in self.values)
        return any(self.is_value(one) for one in _inside(value))

    def mentioned(self, told: Sequence[object]) -> bool:
        """Whether one of these, however deep, is or mentions one of the person's values."""
        return any(self.is_value(one) or self.is_in(one) for one in told)

    def is_in(self, value: object) -> bool:
        """Whether a text mentions one of the person's values."""
        if isinstance(value, str):
            text = _plain(value)
            return any(len(own := _plain(one)) >= _SHORTEST and own in text for one in self.values)
        return any(self.is_in(one) for one in _inside(value))


@dataclass(slots=True)
class Held:
    """What a pair remembers of a person: the links with their conflicts and what was given up, by the link's id."""

    pair: str
    links: dict[str, Known] = field(default_factory=dict[str, Known])
    conflicts: dict[str, list[Conflict]] = field(default_factory=dict[str, list[Conflict]])
    quarantine: dict[str, Quarantined] = field(default_factory=dict[str, Quarantined])
    mentions: list[str] = field(default_factory=list[str])
    """Links of others whose texts mention the person."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How much of each kind there is: a report that says nothing of the person."""
        return {
            "links": len(self.links),
            "conflicts": sum(map(len, self.conflicts.values())),
            "quarantine": len(self.quarantine),
            "mentions": len(self.mentions),
        }

    def records(self, side: Side) -> list[str]:
        """The ids of the person's records on a side: what remains to be dealt with in the systems themselves."""
        return sorted({own for known in self.links.values() for own in ids(known.link, side)})

    def document(self) -> dict[str, Any]:
        """All of it as data, to be given to the person."""
        return {
            "pair": self.pair,
            "links": [known.link.model_dump(mode="json") for known in self.links.values()],
            "conflicts": [one.model_dump(mode="json") for those in self.conflicts.values() for one in those],
            "quarantine": [one.model_dump(mode="json") for one in self.quarantine.values()],
        }


async def find(ledger: Ledger, pair: SyncPair, subject: Subject) -> Held:
    """What a pair remembers of a person; memory is needed for what is found, not for what is looked at."""
    held = Held(pair.name)
    secret = await known_secret(ledger)
    keyed = {key_place(secret, *key) for key in _keys(pair, subject)} if secret is not None else set[str]()
    async for known in ledger.links():
        if _owns(subject, known.link) or keyed.intersection(known.link.keys):
            held.links[known.link.id] = known
        elif subject.is_in(known.link.model_dump()):
            held.mentions.append(known.link.id)
    async for conflict in ledger.conflicts():
        told = (conflict.id_a, conflict.id_b, *_fields_of(conflict))
        if conflict.link in held.links or any(subject.is_value(one) for one in told):
            held.conflicts.setdefault(conflict.link, []).append(conflict)
    async for given in ledger.quarantine():
        if given.link in held.links or any(subject.is_value(one) for one in (given.id_a, given.id_b, given.fields)):
            held.quarantine[given.link] = given
    return held


async def erase(ledger: Ledger, pair: SyncPair, subject: Subject) -> tuple[str, Held]:
    """Forget all that a pair remembers of a person, and keep its records out from now on.

    Gives the id of the erasure, by which `readmit` takes that back, and what was there. Raises Unavailable while a
    cycle of the pair is at work. The systems themselves are not written to.
    """
    if not await ledger.acquire(seconds=120.0):
        raise Unavailable(f"another process works at the pair '{pair.name}' now", hint="wait until its cycle is done")
    try:
        held = await find(ledger, pair, subject)
        erasure = uuid4().hex[:12]
        secret = await secret_of(ledger)
        keys = _keys(pair, subject)
        await ledger.write(remembered((keyed_place(secret, rule, text) for _, rule, text in keys), erasure))
        for link in {*held.links, *held.conflicts, *held.quarantine}:
            await ledger.renew(seconds=120.0)
            await ledger.write(
                [*await _forgetting(ledger, held, link), *_out(held.links.get(link), pair, secret, erasure)]
            )
        return erasure, held
    finally:
        await ledger.release()


async def readmit(ledger: Ledger, pair: SyncPair, erasure: str) -> int:
    """Take an erasure back: records of that person may be linked again. Gives how many hashes were forgotten."""
    if not await ledger.acquire(seconds=120.0):
        raise Unavailable(f"another process works at the pair '{pair.name}' now", hint="wait until its cycle is done")
    try:
        found = [f"gone/{place}" async for place, value in ledger.under("gone/") if value.text == erasure]
        if not found:
            raise UnknownName(f"pair '{pair.name}' knows no erasure '{erasure}'", hint="it was told when it was made")
        await ledger.write([ValueChange(place, None) for place in found])
        return len(found)
    finally:
        await ledger.release()


async def _forgetting(ledger: Ledger, held: Held, link: str) -> list[ValueChange]:
    """What forgets a link and all that belongs to it."""
    changes = [ValueChange(f"quarantine/{link}", None)] if link in held.quarantine else []
    changes += [ValueChange(f"conflict/{one.id}", None) for one in held.conflicts.get(link, ())]
    known = held.links.get(link)
    if known is None:
        return changes
    changes += [ValueChange(f"link/{link}", None, known.version), ValueChange(f"todo/{link}", None)]
    changes += [ValueChange(f"unknown/{side}/{link}", None) for side in SIDES]
    index = await ledger.values.many([f"{side}/{own}" for side in SIDES for own in ids(known.link, side)])
    changes += [ValueChange(key, None, value.version) for key, value in index.items() if value.text == link]
    for place, value in (await ledger.values.many(known.link.keys)).items():
        rest = [each for each in json.loads(value.text) if each != link]
        changes.append(ValueChange(place, json.dumps(rest) if rest else None, value.version))
    return changes


def _out(known: Known | None, pair: SyncPair, secret: bytes, erasure: str) -> list[ValueChange]:
    """What keeps the records of a link out: by the ids that they had, and by their match keys."""
    if known is None:
        return []
    where: list[str] = []
    for side in SIDES:
        for fields in _states(known.link, side):
            keys = keys_of(pair, side, Record("", fields))
            where += [keyed_place(secret, rule, text) for rule, text in keys.items()]
            where += [place for own in ids(known.link, side) for place in places(secret, side, own, {})]
    return remembered(where, erasure)


def _states(link: Link, side: Side) -> Iterable[Mapping[str, Any]]:
    """The fields of a record as they were reported, and as they are being written."""
    shadow: Shadow | None = link.a if side == "a" else link.b
    fields = {} if shadow is None else shadow.fields
    yield fields
    for intent in link.intents:
        if intent.side == side:
            yield {**fields, **intent.fields}


def _keys(pair: SyncPair, subject: Subject) -> list[tuple[Side, str, str]]:
    """The match keys of the person's records, as far as a rule goes by one value: a half link has nothing else."""
    found: list[tuple[Side, str, str]] = []
    for rule in pair.match:
        for side in SIDES:
            names = rule.a if side == "a" else rule.b
            texts = [key_of(rule, side, {names[0]: value}) for value in subject.values] if len(names) == 1 else []
            found.extend((side, rule.name, text) for text in texts if text)
    return found


def _owns(subject: Subject, link: Link) -> bool:
    told = [one.fields for one in (link.a, link.b) if one is not None]
    told += [fields for intent in link.intents for fields in (intent.fields, intent.preimage, intent.source)]
    return any(map(subject.is_value, (*told, *(ids(link, side) for side in SIDES), *link.refused.values())))


def _fields_of(conflict: Conflict) -> Sequence[Mapping[str, Any]]:
    return conflict.base_a, conflict.base_b, conflict.value_a, conflict.value_b, conflict.taken


def _inside(value: object) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value).values()
    return cast("Iterable[Any]", value) if isinstance(value, list | tuple) else ()


def _plain(text: str) -> str:
    """The letters and digits of a text, without case: spellings of one value are equal."""
    return "".join(filter(str.isalnum, text.casefold())) or text
