"""The cases of feeds: what has changed is told in time, in order, and as finely as is claimed."""

from collections.abc import Mapping
from typing import Any, Final

from routekit.remotes import Feed

from .trial import Broken, Trial, Untried

_WIDTHS: Final = (60.0, 1.0, 0.001)
_ROUNDS: Final = 3


async def tells_changes(trial: Trial) -> str:
    """The feed tells a new and a changed record within the lag that is claimed, each once."""
    since = await _here(trial)
    record = await trial.make()
    late = await _shown(trial, since, record.id, "a new record")
    if trial.abilities.can_update and trial.sample is not None:
        changed = await trial.change(record.id)
        name = trial.sample.edit
        late = max(late, await _shown(trial, since, changed.id, "a change", {name: changed.fields.get(name)}))
    return f"after more than {late:.2g} s" if late else "at once"


async def _shown(trial: Trial, since: Any, id: str, what: str, fields: Mapping[str, Any] | None = None) -> float:
    async def look() -> int | None:
        found = [one for one in await trial.told(since) if one.id == id and not one.deleted]
        fits = [one for one in found if all(one.fields.get(name) == value for name, value in (fields or {}).items())]
        return len(found) if fits else None

    count, waited = await trial.until(look)
    if count is None:
        raise Broken(f"{what} was not told within {waited:.3g} s")
    if count > 1:
        raise Broken(f"{what} was told {count} times")
    if waited > trial.abilities.lag:
        raise Broken(f"{what} was not told after {waited:.3g} s, and {trial.abilities.lag:g} s are claimed")
    return waited


async def stamps_in_order(trial: Trial) -> str:
    """Pages of the feed are in the order of stamps, which each record has; nothing is older than was asked for."""
    begin = await trial.some()
    if begin.stamp is None:
        raise Broken("a record has no stamp")
    if trial.sample is not None and trial.abilities.can_create:
        await trial.make()
    since = begin.stamp
    stamps = [record.stamp for record in await trial.heard(since)]
    if None in stamps:
        raise Broken("a record of the feed has no stamp")
    known = [stamp for stamp in stamps if stamp is not None]
    if known != sorted(known):
        raise Broken("a record comes before one that was changed earlier: a walk that breaks off would lose it")
    if known and known[0] < since - trial.abilities.overlap:
        raise Broken(f"a record is {since - known[0]:.3g} s older than was asked for")
    return f"{len(known)} records"


async def stamps_as_fine(trial: Trial) -> str:
    """Stamps are as fine as is claimed: two changes further apart than that have different ones."""
    record = await trial.make()
    stamps = [record.stamp or 0.0]
    if trial.abilities.can_update:
        stamps += [(await trial.change(record.id)).stamp or 0.0 for _ in range(_ROUNDS)]
    else:
        stamps += [(await trial.make()).stamp or 0.0 for _ in range(_ROUNDS)]
    coarse = next((width for width in _WIDTHS if all(_multiple(stamp, width) for stamp in stamps)), 0.0)
    if coarse > trial.abilities.granularity * 1.001:
        raise Broken(f"all stamps are whole {coarse:g} s, and {trial.abilities.granularity:g} s are claimed")
    return f"to {trial.abilities.granularity:g} s"


async def tells_deletions(trial: Trial) -> str:
    """The feed tells of deleted records."""
    since = await _here(trial)
    record = await trial.make()
    await trial.remove(record.id)

    async def look() -> bool | None:
        return True if [one for one in await trial.heard(since) if one.id == record.id and one.deleted] else None

    seen, waited = await trial.until(look)
    if seen is None:
        raise Broken(f"a deletion was not told within {waited:.3g} s")
    return "by a tombstone"


async def tells_time(trial: Trial) -> str:
    """Pages tell the time of the system's clock, by which its offset to ours is known."""
    page = await trial.call(lambda: trial.session.scan(None, fields=False))
    if page.now is None:
        raise Broken("they tell none")
    return "they do"


async def _here(trial: Trial) -> float | str | None:
    """Where the feed is now, so that what comes is new."""
    if trial.abilities.feed is Feed.TOKEN:
        return await trial.token()
    record = await trial.make()
    if record.stamp is None:
        raise Untried("a record has no stamp")
    return record.stamp


def _multiple(stamp: float, width: float) -> bool:
    return abs(stamp / width - round(stamp / width)) * width < 2e-6
