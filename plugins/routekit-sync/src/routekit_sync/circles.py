"""Circles of references: records that wait for each other, or for themselves."""

from collections.abc import Collection

from .bench import Bench, Dirty
from .ledger import ids
from .state import Link
from .units import Side

_MOST = 20


async def circular(bench: Bench, dirty: Dirty, waits_for: str) -> Collection[str]:
    """The references that a link has to be created without, if the record it waits for waits for its own."""
    link = dirty.known.link
    own = {f"{bench.pair.name}/{side}/{each}" for side in _SIDES for each in ids(link, side)}
    next_one = waits_for
    for _ in range(_MOST):
        if next_one in own:
            return frozenset(bench.pair.parents)
        found = await _waiting(bench, next_one)
        if found is None or not found.waits_for:
            return ()
        next_one = found.waits_for
    return ()


async def _waiting(bench: Bench, named: str) -> Link | None:
    """The link of a record that somebody waits for."""
    pair, side, own = _split(named)
    ledger = bench.ledger if pair == bench.pair.name else bench.kin(pair)
    known = (await ledger.linked(side, [own])).get(own)
    return None if known is None else known.link


def _split(named: str) -> tuple[str, Side, str]:
    pair, _, rest = named.partition("/a/")
    if rest:
        return pair, "a", rest
    pair, _, rest = named.partition("/b/")
    return pair, "b", rest


_SIDES: tuple[Side, Side] = ("a", "b")
