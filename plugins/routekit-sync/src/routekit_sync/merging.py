"""Records that a user has made one: the id that is gone becomes another name of the one that stayed."""

from .bench import Bench, opposite, shadow
from .ledger import Known, Saving, ids
from .state import Link
from .units import Side


async def merge(bench: Bench, side: Side, loser: str, winner: str, *, stamp: float | None = None) -> None:
    """Note that `loser` is `winner` from now on; where both were linked, the loser's link ends as after a deletion."""
    found = await bench.ledger.linked(side, [loser, winner])
    gone, kept = found.get(loser), found.get(winner)
    if gone is None or gone.link.state == "dead" or not winner or loser == winner:
        return
    if kept is not None and kept.link.id == gone.link.id:
        return
    bench.summary.merged += 1
    if kept is None or kept.link.state == "dead":
        await _renamed(bench, gone, side, winner)
    elif shadow(gone.link, opposite(side)) is None:
        await _swallowed(bench, kept, gone, side)
    elif shadow(kept.link, opposite(side)) is None:
        await _taken_over(bench, gone, kept, side)
    else:
        await _ended(bench, gone, kept, side, stamp)


async def _renamed(bench: Bench, gone: Known, side: Side, winner: str) -> None:
    """The winner has no link: it takes the loser's."""
    await bench.save(gone, called(bench, gone.link, side, winner))


async def _swallowed(bench: Bench, kept: Known, gone: Known, side: Side) -> None:
    """The loser had no record on the other side: only its ids stay, as aliases."""
    name = f"aliases_{side}"
    aliases = [*getattr(kept.link, name), *ids(gone.link, side)]
    after = kept.link.model_copy(update={name: aliases, "due": kept.link.due or bench.now()})
    await bench.save(kept, after, Saving(gone, None))


async def _taken_over(bench: Bench, gone: Known, kept: Known, side: Side) -> None:
    """The winner had no record on the other side: its ids move to the loser's link."""
    winner = shadow(kept.link, side)
    after = called(bench, gone.link, side, winner.id if winner else "")
    name = f"aliases_{side}"
    more = [each for each in ids(kept.link, side) if winner is None or each != winner.id]
    await bench.save(gone, after.model_copy(update={name: [*getattr(after, name), *more]}), Saving(kept, None))


async def _ended(bench: Bench, gone: Known, kept: Known, side: Side, stamp: float | None) -> None:
    """There are two records on the other side: the loser's is dealt with as the pair says of deletions."""
    there = gone.link.gone
    after = gone.link.model_copy(
        update={"gone": {**there, side: stamp}, "merged": kept.link.id, "due": bench.now(), "why": "merged"}
    )
    again = kept.link.model_copy(update={"due": kept.link.due or bench.now()})
    await bench.save(gone, after, Saving(kept, again))


def called(bench: Bench, link: Link, side: Side, id: str) -> Link:
    """A link whose record on a side has another id from now on; it is looked at again."""
    before = shadow(link, side)
    if before is None or before.id == id:
        return link
    name = f"aliases_{side}"
    aliases = [each for each in (*getattr(link, name), before.id) if each != id]
    moved = before.model_copy(update={"id": id, "version": None, "stamp": None, "present": True})
    gone = {each: at for each, at in link.gone.items() if each != side}
    return link.model_copy(update={side: moved, name: aliases, "gone": gone, "due": link.due or bench.now()})
