"""Failing: links that are tried again later, given up for now, or left to a person."""

from collections.abc import Awaitable
from typing import Any

from routekit import RouteKitError, ValueChange
from routekit.remotes import Busy, Forbidden, RemoteError, Unclear, Unsent

from .bench import Bench, Dirty, Halted
from .kept import Quarantined
from .ledger import Changed, Known, Saving, digest, document
from .plans import LinkPlan
from .sifting import said
from .state import Link
from .units import Side

_TURNS = 6
_SIDES: tuple[Side, Side] = ("a", "b")


def backoff(bench: Bench, attempt: int) -> float:
    """Seconds to wait before the next try, doubling, with jitter."""
    retry = bench.pair.retry
    most = min(retry.longest, retry.first * 2 ** min(max(attempt - 1, 0), 30))
    return most * (0.5 + bench.random.random() / 2)


async def postponed(bench: Bench, dirty: Dirty, *, at_once: bool = False) -> None:
    """Look at the link again later: this was no attempt, or none of its own fault."""
    now = bench.now() or 1e-9
    await _written(bench, dirty, {"due": now if at_once else now + backoff(bench, 1), "intents": []})


async def attempt(bench: Bench, dirty: Dirty, side: Side, error: Exception, fields: dict[str, Any]) -> None:
    """A try failed: the link is tried again later, and given up for now after so many."""
    bench.summary.failed += 1
    link = dirty.known.link
    tries = link.attempts + 1
    update: dict[str, Any] = {"attempts": tries, "due": bench.now() + backoff(bench, tries), "intents": []}
    if tries < bench.pair.retry.attempts:
        await _written(bench, dirty, update)
        return
    bench.summary.quarantined += 1
    given = await _quarantined(bench, dirty, side, error, fields, tries)
    told = [said(bench.pair, each, record) for each in _SIDES if (record := dirty.record(each)) is not None]
    update |= {"due": 0.0, "given_up": " ".join(told) or "?"}
    await _written(bench, dirty, update, document(f"quarantine/{link.id}", given))
    bench.alert(f"link {link.id} is in quarantine: {given.code}")


async def isolated(bench: Bench, dirty: Dirty, work: Awaitable[None]) -> None:
    """Work at one link: what goes wrong with it concerns no other. What the store raises is raised."""
    try:
        await work
    except Changed:
        return  # somebody else works at it: it is looked at by the next cycle
    except RemoteError as error:
        await _refused(bench, dirty, error)
    except (RouteKitError, Halted):
        raise
    except Exception as error:  # a fault of a connector, or of a function of the user
        await _refused(bench, dirty, error)


async def _refused(bench: Bench, dirty: Dirty, error: Exception) -> None:
    """A look for the sake of one link failed: it is tried again later."""
    known = await bench.ledger.link(dirty.known.link.id)
    if known is None or known.link.intents or bench.rehearsal is not None:
        return
    dirty.known = known
    if isinstance(error, Unsent | Unclear | Busy):
        await postponed(bench, dirty, at_once=isinstance(error, Busy))
    else:
        await attempt(bench, dirty, "b" if known.link.a is not None else "a", error, {})


async def _quarantined(
    bench: Bench, dirty: Dirty, side: Side, error: Exception, fields: dict[str, Any], tries: int
) -> Quarantined:
    link, now = dirty.known.link, bench.now()
    before = await bench.ledger.quarantined(link.id)
    return Quarantined(
        link=link.id,
        side=side,
        fields=fields,
        code=code(error),
        why=str(error) if isinstance(error, RouteKitError) else f"{type(error).__name__}: {error}",
        rules=rules(bench),
        id_a=link.a.id if link.a else "",
        id_b=link.b.id if link.b else "",
        first=before.first if before else now,
        last=now,
        attempts=tries + (before.attempts if before else 0),
    )


def code(error: Exception) -> str:
    """The kind of an error in one word."""
    if isinstance(error, Forbidden):
        return "forbidden"
    if isinstance(error, Unclear):
        return "unclear"
    return "refused" if isinstance(error, RemoteError) else "failed"


def rules(bench: Bench) -> str:
    """A digest of the units, as far as they are data."""
    return digest(*((unit.name, tuple(unit.a), tuple(unit.b), str(unit.rule)) for unit in bench.pair.units))


async def parked(bench: Bench, dirty: Dirty, why: str) -> None:
    """Leave the link to a person."""
    bench.summary.parked += 1
    await _written(bench, dirty, {"state": "parked", "why": why, "due": 0.0})
    bench.alert(f"link {dirty.known.link.id} is parked: {why}")


def too_often(bench: Bench, link: Link) -> str:
    """Why a link is not written any more, if it was written too often."""
    breaker, now = bench.pair.breaker, bench.now()
    count = sum(now - each < breaker.seconds for each in link.writes)
    if count < breaker.writes:
        return ""
    return f"written {count} times within {breaker.seconds:g} s: something answers every write"


def alternating(bench: Bench, link: Link, made: LinkPlan) -> str:
    """Why a link is not written any more, if its values take turns."""
    near = sum(bench.now() - at < bench.pair.breaker.seconds for at in link.writes)
    last = link.written[-near:] if near else []
    for write in made.writes:
        turns = [*last, digest(write.side, write.fields)][-_TURNS:]
        if len(turns) == _TURNS and len(set(turns[0::2])) == len(set(turns[1::2])) == 1 and turns[0] != turns[1]:
            return "two values take turns: something answers every write"
    return ""


async def _written(bench: Bench, dirty: Dirty, update: dict[str, Any], *extra: ValueChange) -> None:
    link = dirty.known.link.model_copy(update=update)
    await bench.ledger.save(Saving(dirty.known, link, extra))
    dirty.known = Known(link, dirty.known.version + 1)
