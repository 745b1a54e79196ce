"""Pairing: half links of both sides that have the same match key become one."""

import json
from collections.abc import Sequence

from routekit import ValueChange
from routekit.remotes import Record

from .bench import Bench, shadow
from .indexing import alone
from .ledger import Known, Saving
from .linking import confirming, join
from .pair import Match
from .state import Link
from .units import Side


async def paired(bench: Bench, links: Sequence[Known]) -> list[Known]:
    """Link the half links that match each other; both sides have been read by now, so who is alone is known.

    Gives the links as they are then; those that went into others are left out.
    """
    places = {place for each in links if each.link.state == "half" for place in each.link.keys}
    if not places:
        return list(links)
    found = await bench.ledger.values.many([*places, *map(_across, places)])
    lists: dict[str, list[str]] = {key: json.loads(value.text) for key, value in found.items()}
    live = await bench.ledger.many(list({own for held in lists.values() for own in held}))
    pairing = _Pairing(bench, lists, {own: known for own, known in live.items() if alone(known.link)})
    for each in links:
        pairing.place(each.link.id)
    await pairing.save()
    gone = pairing.absorbed
    return [pairing.after.get(each.link.id, each) for each in links if each.link.id not in gone]


def _across(place: str) -> str:
    """The place of the same key on the other side."""
    return place.replace("key/a/", "key/b/", 1) if place.startswith("key/a/") else place.replace("key/b/", "key/a/", 1)


class _Pairing:
    """Half links with the match keys that they have in common."""

    def __init__(self, bench: Bench, lists: dict[str, list[str]], live: dict[str, Known]) -> None:
        self.absorbed: set[str] = set()
        """Links that went into others."""
        self.after: dict[str, Known] = {}
        """Links that were made whole, or wait for a person, as they are once it is saved."""
        self._bench = bench
        self._lists = lists
        self._live = live
        self._savings: list[Saving] = []
        self._touched: set[str] = set()

    def place(self, own: str) -> None:
        """Link a half link with the one that it matches; if that is not certain, all of them wait for a person."""
        known = self._live.get(own)
        if known is None or known.link.state != "half" or known.link.apart:
            return
        side: Side = "a" if known.link.a is not None else "b"
        for rule in self._bench.pair.match:
            place = next((each for each in known.link.keys if each.startswith(f"key/{side}/{rule.name}/")), None)
            there = self._alive(_across(place)) if place else []
            if place is None or not there:
                continue
            here = self._alive(place)
            if len(there) == len(here) == 1 and not rule.review and there[0].link.state == "half":
                self._join(known, there[0])
            else:
                self._review(rule, here, there)
            return

    def _alive(self, place: str) -> list[Known]:
        held = [self._live[own] for own in self._lists.get(place, ()) if own in self._live]
        return [each for each in held if not each.link.apart]

    def _join(self, known: Known, other: Known) -> None:
        there: Side = "b" if known.link.a is not None else "a"
        kept = shadow(other.link, there)
        if kept is None:
            return
        whole = join(known.link, there, Record(kept.id, {}, kept.version, kept.stamp), self._bench.now())
        for each in (known, other):
            self._forget(each.link)
            del self._live[each.link.id]
        self._savings += [Saving(known, whole), Saving(other, None)]
        self.after[known.link.id] = Known(whole, known.version + 1)
        self.absorbed.add(other.link.id)
        self._bench.summary.linked += 1

    def _review(self, rule: Match, here: Sequence[Known], there: Sequence[Known]) -> None:
        for ours, theirs in ((here, there), (there, here)):
            names = [kept.id for each in theirs for kept in (each.link.a, each.link.b) if kept is not None]
            for each in ours:
                if each.link.state == "half":
                    after = confirming(each.link, rule, names)
                    self._savings.append(Saving(each, after))
                    self._live[each.link.id] = self.after[each.link.id] = Known(after, each.version + 1)
                    self._bench.summary.parked += 1
        self._bench.alert(f"{len(here)} and {len(there)} records match by {rule.name}: a person has to say")

    def _forget(self, link: Link) -> None:
        for place in link.keys:
            held = self._lists.get(place)
            if held and link.id in held:
                held.remove(link.id)
                self._touched.add(place)

    async def save(self) -> None:
        """Write all at once."""
        lists = [
            ValueChange(place, json.dumps(self._lists[place]) if self._lists[place] else None)
            for place in sorted(self._touched)
        ]
        if self._savings:
            await self._bench.ledger.save(*self._savings, extra=lists)
