"""The writes of a remote in memory: what it refuses, what it keeps, and what becomes of a create sent twice."""

from collections.abc import Mapping
from typing import Any

from ...remotes import Creating, Fields, Forbidden, Gone, Record, Refused, Stale, Taken, Unclear
from .faults import Call
from .knobs import Hidden
from .rows import Answered, Row, Written
from .system import FakeSystem


def create(system: FakeSystem, fields: Fields, key: str) -> Record:
    """Make a record, or what the system makes of a key that it knows."""
    _allowed(system.knobs.can_create, "create")
    known = _known(system, fields, key)
    if known is not None:
        return known
    written = _checked(system, fields)
    _free(system, written, own=None)
    made = system.made(written)
    system.writes.append(Written("create", made, dict(fields)))
    answer = _answer(system, made, fields)
    if key:
        system.keys[key] = Answered(system.now(), dict(fields), answer)
    _react(system, made)
    return answer


def update(system: FakeSystem, id: str, fields: Fields, version: str | None) -> Record:
    """Change a record."""
    _allowed(system.knobs.can_update, "update")
    row = _row(system, id)
    _fresh(system, row, version)
    written = _checked(system, fields)
    _free(system, written, own=row.id)
    system.changed(row, written, touches=system.knobs.touches)
    system.writes.append(Written("update", row.id, dict(fields)))
    answer = _answer(system, row.id, fields)
    _react(system, row.id)
    return answer


def failed(system: FakeSystem, call: Call) -> None:
    """Remember that a create was answered with an error of the server, if the system replays those too."""
    if call.op == "create" and call.key and system.knobs.replays_errors:
        system.keys[call.key] = Answered(system.now(), dict(call.fields), None)


def delete(system: FakeSystem, id: str, version: str | None) -> None:
    """Delete a record; one that is gone is fine."""
    _allowed(system.knobs.can_delete, "delete")
    try:
        row = _row(system, id)
    except Gone:
        return
    _fresh(system, row, version)
    system.removed(row)
    system.writes.append(Written("delete", row.id, {}))


def holders(system: FakeSystem, name: str, value: Any) -> list[str]:
    """The ids of the records that have a value in a field, hidden ones too."""
    rows = (system.rows[own] for own in system.having(name, value))
    return [row.id for row in rows if not row.current.deleted and system.has(row.current, name, value)]


def _known(system: FakeSystem, fields: Fields, key: str) -> Record | None:
    """The answer to a create that the system knows already."""
    if system.knobs.creating is Creating.NATURAL:
        return _upserted(system, fields)
    seen = system.keys.get(key)
    if seen is None or system.knobs.creating is Creating.NONE:
        return None
    life = system.knobs.key_life
    if life is not None and system.now() - seen.at > life:
        return None
    if system.knobs.creating is Creating.REPLAY:
        return _replayed(seen, fields, key)
    named = [seen.record.id] if system.knobs.creating is Creating.POINTER and seen.record else []
    raise Taken(f"the key '{key}' was used before", ids=named)


def _replayed(seen: Answered, fields: Fields, key: str) -> Record:
    if dict(fields) != dict(seen.fields):
        raise Refused(f"the key '{key}' was used before, with other fields")
    if seen.record is None:
        raise Unclear(f"the key '{key}' was used before, and the answer was an error")
    return seen.record


def _upserted(system: FakeSystem, fields: Fields) -> Record | None:
    name = system.knobs.external_key
    if name is None or fields.get(name) in (None, ""):
        raise Refused(f"a create needs the external key '{name}'", fields={str(name): "is missing"})
    found = holders(system, name, fields[name])
    if len(found) > 1:
        raise Taken(f"several records have {name} {fields[name]!r}", ids=found)
    return update(system, found[0], fields, None) if found else None


def _allowed(can: bool, op: str) -> None:
    if not can:
        raise Forbidden(f"this user may not {op} records")


def _row(system: FakeSystem, id: str) -> Row:
    """The record that a write is for."""
    row = system.rows.get(system.aliases.get(id, id))
    if row is None or (row.hidden and system.knobs.hidden is Hidden.MISSING):
        raise Gone(f"there is no record '{id}'")
    if row.hidden:
        raise Forbidden(f"record '{id}' may not be changed by this user")
    if row.current.deleted:
        raise Gone(f"record '{id}' is deleted", merged_into=row.current.merged_into)
    return row


def _fresh(system: FakeSystem, row: Row, version: str | None) -> None:
    current = system.version(row.current)
    if version is None and system.knobs.version_required:
        raise Stale(f"a write to '{row.id}' has to name its version")
    if system.knobs.compare_and_set and version is not None and version != current:
        raise Stale(f"record '{row.id}' has version {current}, not {version}")


def _checked(system: FakeSystem, fields: Fields) -> Mapping[str, Any]:
    """The fields that may be written; raises what the system has against the others."""
    knobs = system.knobs
    fixed = [name for name in fields if name in knobs.read_only or name in knobs.computed]
    if fixed and not knobs.ignores_read_only:
        raise Refused(f"{', '.join(fixed)} cannot be written", fields=dict.fromkeys(fixed, "is read-only"))
    blamed = knobs.refuses(fields) if knobs.refuses is not None else dict[str, str]()
    if blamed:
        raise Refused(f"{', '.join(blamed)} cannot be taken", fields=blamed)
    return {name: value for name, value in fields.items() if name not in fixed}


def _free(system: FakeSystem, fields: Fields, *, own: str | None) -> None:
    for name in system.knobs.unique:
        value = fields.get(name)
        if value in (None, ""):
            continue
        others = [other for other in holders(system, name, value) if other != own]
        if others:
            raise Taken(f"{name} is taken", ids=others if system.knobs.names_taken else ())


def _answer(system: FakeSystem, id: str, sent: Fields) -> Record:
    """What a write answers: the record as it is kept, or just what was sent."""
    kept = system.record(system.rows[id])
    return kept if system.knobs.answers else Record(id, dict(sent))


def _react(system: FakeSystem, id: str) -> None:
    if system.knobs.automation is not None:
        row = system.rows[id]
        system.changed(row, system.knobs.automation(row.current.fields), touches=False)
