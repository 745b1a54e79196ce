"""The cases: for each claim of `Abilities`, and each law of the contract of remotes, what shows whether it holds.

A case returns what it has seen, raises `Broken` with what it saw instead, or `Untried` if something is in its way that
is another case's matter. Its docstring is the guarantee.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from routekit.remotes import Creating, Forbidden, Gone, Record, RemoteError, Stale, Taken

from .trial import Broken, Trial, Untried, told

Case: TypeAlias = Callable[[Trial], Awaitable[str]]
Claimed: TypeAlias = Callable[[Trial], "str | None"]
"""Why a system does not claim it, or None if it does."""


async def creates(trial: Trial) -> str:
    """A record can be made, and is there when it is read by its id."""
    made = await trial.create(trial.fields())
    record = await trial.call(lambda: trial.session.get(made.id))
    if record is None or record.deleted:
        raise Broken(f"record {made.id} was made, and is not there")
    return f"record {made.id}"


async def updates(trial: Trial) -> str:
    """An update changes the fields that it names, and no other that we wrote."""
    before = await trial.make()
    name, value = trial.edit()
    await trial.call(lambda: trial.session.update(before.id, {name: value}, key=value))
    after = await trial.read(before.id)
    if after.fields.get(name) == before.fields.get(name):
        raise Broken(f"'{name}' is as it was before")
    own = trial.fields()
    others = [one for one in own if one != name and after.fields.get(one) != before.fields.get(one)]
    if others:
        raise Broken(f"others changed as well: {', '.join(others)}")
    return f"'{name}' changed"


async def clears(trial: Trial) -> str:
    """None clears a field, and it is read as None or is absent then."""
    sample = trial.sample
    if sample is None or not sample.clear:
        raise Untried("the sample names no field to clear")
    name = sample.clear
    before = await trial.make()
    if before.fields.get(name) is None:
        raise Untried(f"'{name}' is not kept")
    after = await trial.change(before.id, {name: None})
    if after.fields.get(name) is not None:
        raise Broken(f"'{name}' is {after.fields[name]!r} then")
    return f"'{name}' is cleared"


async def keeps(trial: Trial) -> str:
    """Fields are kept as they are written."""
    given = trial.fields()
    record = await trial.make(given)
    wrong = {name: record.fields.get(name) for name, value in given.items() if record.fields.get(name) != value}
    if wrong:
        raise Broken("; ".join(f"{name}: {given[name]!r} became {value!r}" for name, value in wrong.items()))
    return "all of them"


async def answers(trial: Trial) -> str:
    """The answer to a write is the record as it is kept: it need not be read back."""
    given = trial.fields()
    try:
        made = await trial.create(given)
    except RemoteError as error:
        raise Untried(f"no record could be made: {told(error)}") from error
    pairs = [("create", made, await trial.read(made.id))]
    if trial.abilities.can_update:
        name, value = trial.edit()
        try:
            changed = await trial.call(lambda: trial.session.update(made.id, {name: value}, key=value))
        except RemoteError as error:
            raise Untried(f"no record could be changed: {told(error)}") from error
        pairs.append(("update", changed, await trial.read(made.id)))
    for what, answer, kept in pairs:
        if (dict(answer.fields), answer.version, answer.stamp) != (dict(kept.fields), kept.version, kept.stamp):
            raise Broken(f"the answer to {'an' if what == 'update' else 'a'} {what} is not what is read then")
    return "also its version and stamp"


async def holds_versions(trial: Trial) -> str:
    """An update that names an older version is refused as stale, and changes nothing."""
    first = await trial.make()
    if first.version is None:
        raise Broken("a record has no version")
    second = await trial.change(first.id)
    if second.version == first.version:
        raise Broken("the version is the same after a change: two writers would not see each other")
    name, value = trial.edit()
    try:
        await trial.call(lambda: trial.session.update(first.id, {name: value}, version=first.version, key=value))
    except Stale:
        pass
    else:
        raise Broken("an update that named an older version was carried out")
    kept = await trial.read(first.id)
    if kept.fields.get(name) != second.fields.get(name):
        raise Broken("a refused update changed the record")
    await trial.call(lambda: trial.session.update(first.id, {name: value}, version=kept.version, key=value))
    return "the current one is taken"


async def deletes(trial: Trial) -> str:
    """A deleted record is certainly gone: read as None or as a tombstone; deleting it again is fine."""
    record = await trial.make()
    await trial.call(lambda: trial.session.delete(record.id))
    after = await trial.call(lambda: trial.session.get(record.id))
    if after is not None and not after.deleted:
        raise Broken("it is read as if it were there")
    await trial.call(lambda: trial.session.delete(record.id))
    return "told by a tombstone" if after is not None else "read as None"


async def says_gone(trial: Trial) -> str:
    """An update of a deleted record is refused as gone."""
    if not trial.abilities.can_update:
        raise Untried("records cannot be changed")
    record = await trial.make()
    await trial.remove(record.id)
    name, value = trial.edit()
    try:
        await trial.call(lambda: trial.session.update(record.id, {name: value}, key=value))
    except Gone:
        return "refused as Gone"
    except Forbidden as error:
        raise Untried(f"records may not be changed: {told(error)}") from error
    except RemoteError as error:
        raise Broken(f"it was refused as {told(error)}") from error
    raise Broken("it was carried out")


async def archives(trial: Trial) -> str:
    """A record can be put out of use, and is there all the same."""
    fields = trial.abilities.archive or {}
    record = await trial.make()
    after = await trial.change(record.id, fields)
    wrong = [name for name, value in fields.items() if after.fields.get(name) != value]
    if wrong:
        raise Broken(f"{', '.join(wrong)} is not as it was written")
    return ", ".join(f"{name}: {value!r}" for name, value in fields.items())


async def scans(trial: Trial) -> str:
    """A scan has each record once, also without fields, and no deleted one."""
    own = await trial.some()
    gone = await _removed(trial)

    async def look() -> Sequence[str] | None:
        found = [record.id for record in await trial.scanned() if not record.deleted]
        return found if own.id in found and gone not in found else None

    found, _ = await trial.until(look)
    if found is None:
        raise Broken("a record that is there is missing, or one that is deleted is shown")
    bare = [record.id for record in await trial.scanned(fields=False) if not record.deleted]
    for ids in (found, bare):
        if len(set(ids)) < len(ids):
            raise Broken(f"{len(ids) - len(set(ids))} records come more than once")
    if own.id not in bare:
        raise Broken("without fields, a record is missing that is there")
    return f"{len(found)} records"


async def _removed(trial: Trial) -> str | None:
    """The id of a record that was made and deleted; None if that cannot be done."""
    try:
        record = await trial.make()
        await trial.remove(record.id)
    except Untried:
        return None
    return record.id


async def reads_many(trial: Trial) -> str:
    """As many ids as are claimed are read at once; those that are not there are left out."""
    own = [await trial.some()]
    if trial.sample is not None and trial.abilities.can_create:
        own.append(await trial.make())
    ids = [record.id for record in own]
    asked = [ids[number % len(ids)] for number in range(max(trial.abilities.batch, 1))]
    try:
        found = await trial.call(lambda: trial.session.many(asked))
    except RemoteError as error:
        raise Broken(f"{len(asked)} ids at once: {told(error)}") from error
    if {record.id for record in found} != set(asked):
        raise Broken(f"{len(set(asked))} records were asked for, and {len({one.id for one in found})} came")
    return f"{len(asked)} ids at once"


async def finds(trial: Trial) -> str:
    """By each field that is claimed, a record is found by its value, and none by a value that no record has."""
    external = trial.abilities.external_key
    names = dict.fromkeys([*trial.abilities.findable, *filter(None, [external])])
    if trial.sample is not None and trial.abilities.can_create:
        record = await trial.make({**({} if external is None else {external: trial.word()}), **trial.fields()})
    else:
        record = await trial.some()
    unknown: list[str] = []
    for name in names:
        value = record.fields.get(name)
        if value is None:
            unknown.append(name)
            continue
        await _finds_by(trial, name, value, record)
    if len(unknown) == len(names):
        raise Untried(f"the record has no {', '.join(unknown)}")
    return ", ".join(name for name in names if name not in unknown)


async def _finds_by(trial: Trial, name: str, value: Any, record: Record) -> None:
    async def look() -> bool | None:
        found = await trial.call(lambda: trial.session.find(name, value))
        return True if record.id in [one.id for one in found] else None

    try:
        seen, _ = await trial.until(look)
        others = await trial.call(lambda: trial.session.find(name, trial.word()))
    except (RemoteError, LookupError, TypeError, ValueError) as error:
        raise Broken(f"by {name}: {told(error)}") from error
    if seen is None:
        raise Broken(f"by {name}, a record is not found that has the value")
    if record.id in [one.id for one in others]:
        raise Broken(f"by {name}, a record is found that has another value")


async def makes_once(trial: Trial) -> str:
    """A create that is sent again as its answer was lost makes no second record."""
    kind, key = trial.abilities.creating, trial.word()
    fields = trial.fields()
    try:
        first = await trial.create(fields, key)
    except RemoteError as error:
        raise Untried(f"no record could be made: {told(error)}") from error
    try:
        second = await trial.create(fields, key)
    except Taken as taken:
        if kind is Creating.REFUSE or (kind is Creating.POINTER and first.id in taken.ids):
            return f"refused, naming {', '.join(taken.ids) or 'nothing'}"
        raise Broken(f"it was refused, naming {', '.join(taken.ids) or 'nothing'}") from taken
    if second.id != first.id:
        raise Broken("there are two records then")
    if kind in (Creating.REPLAY, Creating.NATURAL):
        return f"record {first.id} again"
    raise Broken("it was answered as if nothing were the matter")
