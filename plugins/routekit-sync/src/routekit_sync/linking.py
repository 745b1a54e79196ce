"""Linking: records that have no counterpart yet. They are matched before one is created.

A record without a link gets a half one at once, with its match keys as an index: so the cursor may move on. When both
sides have been read, halves that match are put together; what is alone then is looked for on the other side, where
that can be asked for it, and created.
"""

import json
from collections.abc import Mapping, Sequence

from routekit import Value, ValueChange
from routekit.remotes import Record

from .bench import Bench, Dirty, opposite, shadow
from .indexing import CONFIRM, alone, unkeyed
from .ledger import Known, Saving, digest
from .pair import Match, SyncPair
from .settling import half, matched
from .sifting import in_scope
from .state import Link
from .suppressing import kept_out, key_place, secret_of
from .units import Side

_MOST = 10
"""So many records with one key are remembered: more are not told apart by it anyway."""


async def keep(bench: Bench, side: Side, records: Sequence[Record]) -> None:
    """Make half links of records that have none."""
    records = [each for each in records if _wanted(bench, side, each)]
    if not records or bench.partition != 0:
        return
    records = await _ours(bench, side, records)
    now = bench.now() or 1e-9
    savings: list[Saving] = []
    places: dict[str, list[str]] = {}
    told = {each.id: keys_of(bench.pair, side, each) for each in records}
    out = await kept_out(bench.ledger, side, records, told)
    secret = await secret_of(bench.ledger)
    for record in records:
        if record.id in out:
            continue
        own = digest(bench.pair.name, side, record.id, now)
        keys = [key_place(secret, side, rule, text) for rule, text in told[record.id].items()]
        link = half(own, side, record, now=now).model_copy(update={"due": now, "keys": keys})
        savings.append(Saving(None, link))
        for place in keys:
            places.setdefault(place, []).append(own)
    known = await bench.ledger.values.many(list(places))
    lists = [_listed(place, known.get(place), more) for place, more in places.items()]
    await bench.ledger.save(*savings, extra=lists)


def _listed(place: str, known: Value | None, more: Sequence[str]) -> ValueChange:
    held: list[str] = [] if known is None else json.loads(known.text)
    return ValueChange(place, json.dumps([*held, *more][:_MOST]), 0 if known is None else known.version)


def keys_of(pair: SyncPair, side: Side, record: Record) -> dict[str, str]:
    """The match keys of a record, by the rule; a rule that finds nothing to go by is left out."""
    found: dict[str, str] = {}
    for rule in pair.match:
        text = key_of(rule, side, record.fields)
        if text:
            found[rule.name] = text
    return found


def key_of(rule: Match, side: Side, fields: Mapping[str, object]) -> str | None:
    """What a rule goes by in a record; None if it says nothing."""
    names = rule.a if side == "a" else rule.b
    make = (rule.key_b or rule.key) if side == "b" else rule.key
    if make is not None:
        try:
            return make({name: fields.get(name) for name in names}) or None
        except Exception:  # a function of the user: what it cannot tell of matches nothing
            return None
    values = [fields.get(name) for name in names]
    if any(value is None or value in ("", []) for value in values):
        return None
    return json.dumps(values, sort_keys=True, default=str)


def confirming(link: Link, rule: Match, names: Sequence[str]) -> Link:
    """A half link of which a person has to say whether it is that of one of these records."""
    why = f"{CONFIRM}: {rule.name}: may be that of {', '.join(names)}"
    return link.model_copy(update={"state": "parked", "why": why, "due": 0.0})


def join(link: Link, side: Side, record: Record, now: float) -> Link:
    """A half link, made whole by a record of the other side; nothing is known of before."""
    here = shadow(link, opposite(side))
    known = Record("") if here is None else Record(here.id, {}, here.version, here.stamp)
    a, b = (record, known) if side == "a" else (known, record)
    whole = matched(link.id, a, b, now=now)
    return whole.model_copy(
        update={"due": now or 1e-9, "aliases_a": link.aliases_a, "aliases_b": link.aliases_b, "keys": []}
    )


async def _ours(bench: Bench, side: Side, records: Sequence[Record]) -> Sequence[Record]:
    """The records without those that we have created ourselves, though we have not heard of it."""
    name = bench.abilities(side).external_key
    marked = {str(each.fields[name]): each for each in records if name and each.fields.get(name)}
    known = await bench.ledger.many(list(marked)) if marked else {}
    taken: set[str] = set()
    for link, found in known.items():
        if found.link.state != "dead" and shadow(found.link, side) is None:
            taken.add(marked[link].id)  # its intent is settled with it, when the link is looked at
            again = found.link.model_copy(update={"due": bench.now() or 1e-9})
            await bench.save(found, again)
    taken |= await _perhaps(bench, side, [each for each in records if each.id not in taken])
    return [each for each in records if each.id not in taken]


async def _perhaps(bench: Bench, side: Side, records: Sequence[Record]) -> set[str]:
    """Records that may be those of creates whose outcome nobody knows: each is named to the person who has to say."""
    taken: set[str] = set()
    async for own, value in bench.ledger.under(f"unknown/{side}/"):
        known = await bench.ledger.link(own)
        if known is None or not known.link.intents or shadow(known.link, side) is not None:
            await bench.ledger.write([ValueChange(f"unknown/{side}/{own}", None, value.version)])
            continue
        intent = known.link.intents[0]
        same = [each for each in records if all(each.fields.get(name) == to for name, to in intent.fields.items())]
        taken.update(each.id for each in same)
        if len(same) == 1 and not intent.target:
            named = intent.model_copy(update={"target": same[0].id})
            why = f"{known.link.why or 'unknown outcome'}; it may be {same[0].id}"
            await bench.save(known, known.link.model_copy(update={"intents": [named], "why": why}))
    return taken


async def counterpart(bench: Bench, dirty: Dirty) -> Dirty | None:
    """Look on the other side for the record that a half link lacks; None if a person has to say which one it is."""
    link = dirty.known.link
    side: Side = "a" if link.a is not None else "b"
    there = opposite(side)
    record = dirty.record(side)
    if record is None or link.apart:
        return dirty
    for rule in bench.pair.match:
        text = key_of(rule, side, record.fields)
        if not text:
            continue
        found = await _found(bench, rule, there, record, text)
        free = await _free(bench, there, found)
        known = await bench.ledger.linked(there, [each.id for each in free]) if free else {}
        parked = any(each.link.state == "parked" for each in known.values())
        if len(free) == 1 and not rule.review and not parked:
            return await _taken(bench, dirty, there, free[0])
        if free:
            await _reviewed(bench, dirty, rule, free, known)
            return None
    return dirty


async def _found(bench: Bench, rule: Match, there: Side, record: Record, text: str) -> list[Record]:
    """Records of the other side with the same key, as far as it can be asked for them."""
    able = bench.abilities(there)
    theirs, ours = (rule.b, rule.a) if there == "b" else (rule.a, rule.b)
    for name, own in zip(theirs, ours, strict=False):
        if name not in (*able.findable, able.external_key) or record.fields.get(own) in (None, ""):
            continue
        found = list(await bench.calls(there).find(name, record.fields[own]))
        if not found and len(theirs) == 1 and text not in (record.fields[own], json.dumps([record.fields[own]])):
            found = list(await bench.calls(there).find(name, text))
        return [each for each in found if key_of(rule, there, each.fields) == text]
    return []


async def _free(bench: Bench, side: Side, found: Sequence[Record]) -> list[Record]:
    """Those that are in scope and not another live link's, half ones excepted."""
    known = await bench.ledger.linked(side, [each.id for each in found]) if found else {}
    free = [each for each in found if each.id not in known or alone(known[each.id].link)]
    out = await kept_out(bench.ledger, side, free, {each.id: keys_of(bench.pair, side, each) for each in free})
    return [each for each in free if each.id not in out and _wanted(bench, side, each)]


def _wanted(bench: Bench, side: Side, record: Record) -> bool:
    """Whether a record is in scope; one of which the scope cannot tell is left out, and a person is told."""
    scoped = in_scope(bench.pair, side, record)
    if scoped is None and (bench.pair.scope_a if side == "a" else bench.pair.scope_b) is not None:
        bench.alert(f"the scope of side {side} fails for record {record.id}: it is left out")
        return False
    return scoped is not False


async def _taken(bench: Bench, dirty: Dirty, there: Side, record: Record) -> Dirty:
    """Make the link whole with a record that was found; a half link of its own ends."""
    link = dirty.known.link
    other = (await bench.ledger.linked(there, [record.id])).get(record.id)
    whole = join(link, there, record, bench.now())
    extra = await unkeyed(bench.ledger, link)
    savings = [Saving(dirty.known, whole, extra)]
    if other is not None:
        savings.append(Saving(other, None, await unkeyed(bench.ledger, other.link)))
    await bench.ledger.save(*savings)
    bench.summary.linked += 1
    found = Dirty(Known(whole, dirty.known.version + 1), dirty.a, dirty.b)
    found.saw(there, record)
    return found


async def _reviewed(
    bench: Bench, dirty: Dirty, rule: Match, found: Sequence[Record], known: Mapping[str, Known]
) -> None:
    """Leave it to a person; half links of what was found wait with it."""
    link = dirty.known.link
    names = [each.id for each in found]
    own = [kept.id for kept in (link.a, link.b) if kept is not None]
    after = confirming(link, rule, names)
    waiting = [each for each in known.values() if each.link.state == "half" and each.link.id != link.id]
    await bench.ledger.save(
        Saving(dirty.known, after), *(Saving(each, confirming(each.link, rule, own)) for each in waiting)
    )
    bench.summary.parked += 1 + len(waiting)
    bench.alert(f"link {link.id} may be that of {', '.join(names)}, by {rule.name}: a person has to say")
