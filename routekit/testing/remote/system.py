"""The system behind a remote in memory: its records, its clock, its index, and the hands of its users."""

import json
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import floor
from random import Random
from time import time
from typing import Any

from ...remotes import Fields, Record
from .faults import Call, Faults
from .knobs import Deletes, Knobs, Merging, Versions
from .rows import Answered, Row, State, Written


class FakeSystem:
    """Holds the records of one kind; users work with it by the methods `user_...`, which nothing delays or refuses.

    `now` is our clock, in seconds since 1970; the system's own is ahead of it by `knobs.skew`. `knobs` may be replaced
    at any time. `before` and `after` are called around what each call does, and may raise, or let a user do something.
    """

    def __init__(
        self, knobs: Knobs | None = None, *, now: Callable[[], float] = time, random: Random | None = None
    ) -> None:
        self.knobs = knobs or Knobs()
        self.now = now
        self.random = random or Random(0)
        self.faults = Faults(self.random)
        self.before: Callable[[Call], None] | None = None
        self.after: Callable[[Call], None] | None = None
        self.calls: Counter[str] = Counter()
        """How often each call of the API was tried, by its name."""
        self.writes: list[Written] = []
        self.over_budget = 0
        """How many calls came though the budget was spent."""
        self.rows: dict[str, Row] = {}
        """All records that there ever were, also deleted and hidden ones."""
        self.ids: list[str] = []
        """The ids of `rows`, sorted."""
        self.order: list[tuple[float, str, int]] = []
        """Stamp, id and number of every state that the index has or will have, sorted."""
        self.log: list[tuple[int, str]] = []
        """Number and id of every change."""
        self.keys: dict[str, Answered] = {}
        """What the idempotency keys of creates were answered first."""
        self.aliases: dict[str, str] = {}
        """Ids of merged records that still give the one which took their place."""
        self.recent: deque[float] = deque()
        """When the calls of the budget's window came."""
        self.under_way = 0
        self._number = 0
        self._values: dict[str, dict[str, set[str]]] = {}
        """By field and value, for the fields that were searched by: the ids of the records that have it."""
        self._lately: set[str] = set()
        """The ids of records that the index may not show as they are."""

    @property
    def clock(self) -> float:
        """Its own clock."""
        return self.now() + self.knobs.skew

    @property
    def records(self) -> Mapping[str, Record]:
        """The records as they are, by id, as somebody sees them who may see all."""
        return {own: self.record(self.rows[own]) for own in self.ids if not self.rows[own].current.deleted}

    def user_create(self, fields: Fields) -> str:
        """A user makes a record; returns its id."""
        return self.made(fields)

    def user_edit(self, id: str, fields: Fields) -> None:
        """A user changes these fields of a record; raises KeyError if there is none."""
        self.changed(self._present(id), fields, touches=True)

    def user_delete(self, id: str) -> None:
        """A user deletes a record; raises KeyError if there is none."""
        self.removed(self._present(id))

    def user_restore(self, id: str) -> None:
        """A user brings a deleted record back, with its id and its last fields."""
        row = self.rows[id]
        self.aliases.pop(id, None)
        self._append(row, row.current.fields)

    def user_merge(self, loser: str, winner: str) -> str:
        """A user makes one record of two: the winner's fields, and the loser's where it has none; returns its id."""
        gone, kept = self._present(loser), self._present(winner)
        fields = dict(gone.current.fields) | {
            name: value for name, value in kept.current.fields.items() if value not in (None, "")
        }
        merging = self.knobs.merging
        self.removed(gone, merged_into=None if merging is Merging.SILENT else winner)
        if merging is Merging.NEW:
            self.removed(kept)
            new = self.made(fields)
            self._aliased(new, gone, kept)
            return new
        self.changed(kept, fields, touches=True)
        if merging is Merging.ALIAS:
            self._aliased(winner, gone)
        return winner

    def user_hide(self, id: str) -> None:
        """Take from us the right to see a record."""
        self._present(id).hidden = True

    def user_show(self, id: str) -> None:
        """Give it back: nothing else changes, no stamp moves."""
        self.rows[id].hidden = False

    def made(self, fields: Fields) -> str:
        """Put a new record there; returns its id."""
        row = Row(f"{self.knobs.prefix}{len(self.rows) + 1:06d}", self._number + 1, [])
        self.rows[row.id] = row
        insort(self.ids, row.id)
        self._append(row, self._kept({}, fields))
        return row.id

    def changed(self, row: Row, fields: Fields, *, touches: bool) -> None:
        """Change a record; without `touches` only if that changes a value."""
        kept = self._kept(row.current.fields, fields)
        if touches or kept != row.current.fields:
            self._append(row, kept)

    def removed(self, row: Row, *, merged_into: str | None = None) -> None:
        """Delete a record: its last fields are remembered."""
        self._append(row, row.current.fields, deleted=True, merged_into=merged_into)

    def record(self, row: Row, state: State | None = None) -> Record:
        """A state of a record, the present one unless it is said, as the API shows it."""
        shown = state or row.current
        if shown.deleted:
            return Record(row.id, {}, None, shown.stamp, deleted=True, merged_into=shown.merged_into)
        computed = {name: make(shown.fields) for name, make in self.knobs.computed.items()}
        return Record(row.id, {**shown.fields, **computed}, self.version(shown), shown.stamp)

    def shade(self, row: Row) -> Record:
        """A deleted record, shown as if it were there."""
        return self.record(row, replace(row.current, deleted=False, merged_into=None))

    def version(self, state: State) -> str | None:
        """The version of a record in a state."""
        match self.knobs.versions:
            case Versions.NUMBER:
                return str(state.number)
            case Versions.STAMP:
                return repr(state.stamp)
            case Versions.NONE:
                return None

    def listed(self, row: Row, *, index: bool, feed: bool = False) -> State | None:
        """The state of a record that a list shows, of the index or of the truth; None: the list does not have it."""
        if row.hidden:
            return None
        state = row.indexed(self.now()) if index else row.current
        if state is None or not state.deleted:
            return state
        match self.knobs.deletes:
            case Deletes.FEED:
                return state if feed else None
            case Deletes.SCAN:
                return None
            case Deletes.NEVER:
                return replace(state, deleted=False, merged_into=None)

    def has(self, state: State, name: str, value: Any) -> bool:
        """Whether a record has a value in a field, or the one that the system makes of it."""
        return state.fields.get(name) is not None and state.fields.get(name) in self._spellings(name, value)

    def having(self, name: str, value: Any) -> Sequence[str]:
        """The ids of the records that have a value in a field now, or that the index may show with it."""
        if name not in self._values:
            self._values[name] = {}
            for row in self.rows.values():
                self._note(name, row, row.current)
        now = self.now()
        for own in list(self._lately):
            self._forget(self.rows[own], now)
        self._lately = {own for own in self._lately if len(self.rows[own].states) > 1}
        found = (self._values[name].get(_text(value), ()) for value in self._spellings(name, value))
        return sorted(self._lately.union(*found))

    def _spellings(self, name: str, value: Any) -> Sequence[Any]:
        change = self.knobs.normalise.get(name)
        return [value] if change is None else [value, change(value)]

    def _note(self, name: str, row: Row, state: State) -> None:
        if not state.deleted:
            self._values[name].setdefault(_text(state.fields.get(name)), set()).add(row.id)

    def _reindex(self, row: Row, state: State) -> None:
        for name, ids in self._values.items():
            if row.states:
                ids.get(_text(row.current.fields.get(name)), set[str]()).discard(row.id)
            self._note(name, row, state)

    def _present(self, id: str) -> Row:
        row = self.rows.get(id)
        if row is None or row.current.deleted:
            raise KeyError(f"there is no record '{id}'")
        return row

    def _kept(self, before: Fields, given: Fields) -> dict[str, Any]:
        """The fields of a record after a write: normalised, and with defaults."""
        change = self.knobs.normalise
        fields = {**before, **{name: change[name](value) if name in change else value for name, value in given.items()}}
        missing = {name: value for name, value in self.knobs.defaults.items() if fields.get(name) is None}
        return {**fields, **missing}

    def _append(self, row: Row, fields: Fields, *, deleted: bool = False, merged_into: str | None = None) -> None:
        self._number += 1
        now, lag = self.now(), self.knobs.lag
        indexed = now + (self.random.uniform(0.0, lag) if lag else 0.0)
        state = State(dict(fields), self._number, now, self._stamp(), indexed, deleted, merged_into)
        self._reindex(row, state)
        row.states.append(state)
        self.log.append((state.number, row.id))
        insort(self.order, (state.stamp, row.id, state.number))
        self._forget(row, now)
        if len(row.states) > 1:
            self._lately.add(row.id)

    def _forget(self, row: Row, now: float) -> None:
        """Drop the states that not even the index shows any more."""
        shown = row.indexed(now)
        while shown is not None and row.states[0] is not shown:
            old = row.states.pop(0)
            place = (old.stamp, row.id, old.number)
            del self.order[bisect_left(self.order, place)]

    def _stamp(self) -> float:
        width = self.knobs.granularity
        return floor(self.clock / width) * width if width else self.clock

    def _aliased(self, to: str, *rows: Row) -> None:
        for row in rows:
            self.aliases[row.id] = to
            if row.current.merged_into != to:
                row.states[-1] = replace(row.current, merged_into=to)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
