"""Planted defects: the kernel is broken in one place, and a named law has to find it.

Each mutant replaces one function by what somebody might write by mistake, or what simpler synchronisers do. The laws
are those of the files beside this one, which hold for the sound kernel; they are loaded from there.

In one file although it is long: it is a list of defects.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from routekit import ValueChange
from routekit.remotes import Abilities, Creating, Fields, Page, Record
from routekit.testing.remote import FaultKind, Paging
from routekit_sync import (
    Rule,
    calling,
    comparing,
    deleting,
    discovering,
    executing,
    ledger,
    planning,
    recovering,
    sifting,
    testing,
)  # fmt: skip
from routekit_sync.asking import Asked
from routekit_sync.plans import LinkPlan
from routekit_sync.state import Intent, Link, Shadow

Plant = Callable[[pytest.MonkeyPatch], None]
Law = Callable[[], None]


@cache
def laws(name: str) -> ModuleType:
    """The tests of a file beside this one, or above it."""
    above, _, own = name.rpartition("/")
    spec = spec_from_file_location(f"laws_of_{own}", Path(__file__).parent / above / f"test_{own}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def law(file: str, name: str, *given: Any) -> Law:
    """A law by its file and its name, with what it is given."""
    return lambda: getattr(laws(file), name)(*given)


@dataclass(frozen=True)
class Mutant:
    """A defect, and the law that does not hold with it."""

    plant: Plant
    law: Law


def single_base(patch: pytest.MonkeyPatch) -> None:
    """Both sides are compared with one base: what side a last had."""
    sound = planning._compared  # pyright: ignore[reportPrivateUsage]  # it is what is broken

    def compared(asked: Asked) -> LinkPlan:
        link = asked.link
        if link.a is None or link.b is None or not link.a.fields:
            return sound(asked)
        base: dict[str, Any] = {}
        for unit in asked.pair.units:
            base |= unit.to_b({name: link.a.fields.get(name) for name in unit.a}) if unit.to_b else {}
        one = link.model_copy(update={"b": link.b.model_copy(update={"fields": base})})
        return sound(replace(asked, link=one))

    patch.setattr(planning, "_compared", compared)


def read_back_skipped(patch: pytest.MonkeyPatch) -> None:
    """What was sent is taken for what is kept."""

    async def taken(bench: Any, intent: Intent, answer: Record) -> Record:
        return replace(answer, fields=intent.fields)

    patch.setattr(executing, "_read_back", taken)


def whole_read_back(patch: pytest.MonkeyPatch) -> None:
    """The shadow takes all that was read back, also what somebody else has changed meanwhile."""
    sound = planning.settled

    def settled(link: Link, intent: Intent, answer: Record | None, pair: Any, **more: Any) -> Link:
        done = sound(link, intent, answer, pair, **more)
        kept: Shadow | None = done.a if intent.side == "a" else done.b
        if answer is None or kept is None:
            return done
        return done.model_copy(update={intent.side: kept.model_copy(update={"fields": dict(answer.fields)})})

    patch.setattr(planning, "settled", settled)


def write_before_intent(patch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered of a write before it is sent."""
    sound = ledger.Ledger.save

    async def save(self: ledger.Ledger, *savings: ledger.Saving, extra: Sequence[ValueChange] = ()) -> None:
        forgetful = [
            replace(each, after=each.after.model_copy(update={"intents": []})) if each.after else each
            for each in savings
        ]
        await sound(self, *forgetful, extra=extra)

    patch.setattr(ledger.Ledger, "save", save)


def cursor_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The cursor moves as soon as a page is read."""
    reader = discovering._Reader  # pyright: ignore[reportPrivateUsage]  # it is what is broken
    sound = reader.some

    async def some(self: Any) -> Any:
        found = await sound(self)
        await self.move()
        return found

    patch.setattr(reader, "some", some)


def no_overlap(patch: pytest.MonkeyPatch) -> None:
    """The next look begins where the last one ended."""
    patch.setattr(Abilities, "overlap", property(lambda self: 0.0))


def strictly_after(patch: pytest.MonkeyPatch) -> None:
    """Only what is later than the last stamp is asked for."""
    sound = calling.Calls.changes

    async def changes(self: calling.Calls, since: float | str | None, page: str | None = None) -> Page:
        found = await sound(self, since, page)
        if not isinstance(since, float):
            return found
        return replace(found, records=[each for each in found.records if (each.stamp or 0.0) > since])

    patch.setattr(calling.Calls, "changes", changes)


def echo_by_who_wrote(patch: pytest.MonkeyPatch) -> None:
    """What a record says at the time of a write of ours is taken for its echo."""
    sound = sifting.unchanged

    def unchanged(pair: Any, side: Any, record: Record, link: Link) -> bool:
        ours = any(record.stamp is not None and abs(record.stamp - at) < 1.0 for at in link.writes)
        return ours or sound(pair, side, record, link)

    patch.setattr(sifting, "unchanged", unchanged)
    patch.setattr(executing, "_differs", lambda bench, dirty: False)


def created_again(patch: pytest.MonkeyPatch) -> None:
    """A create whose answer was lost is simply made anew."""

    async def create(bench: Any, dirty: Any, intent: Intent) -> None:
        await recovering._dropped(bench, dirty)  # pyright: ignore[reportPrivateUsage]  # as a mistake would

    patch.setattr(recovering, "_create", create)


def newest_by_stamps(patch: pytest.MonkeyPatch) -> None:
    """The stamps of two systems are compared as they are."""

    def ahead(self: comparing.Compared) -> float | None:
        a, b = self.asked.a, self.asked.b
        return None if a is None or b is None or a.stamp is None or b.stamp is None else a.stamp - b.stamp

    patch.setattr(comparing.Compared, "_ahead", ahead)


def absent_clears(patch: pytest.MonkeyPatch) -> None:
    """What a report leaves out is empty."""
    sound = planning.look

    def look(names: Sequence[str], record: Record | None, shadow: Shadow | None, *, fresh: bool = False) -> Any:
        if record is not None:
            record = replace(record, fields={name: record.fields.get(name) for name in names})
        return sound(names, record, shadow, fresh=fresh)

    patch.setattr(planning, "look", look)


def whole_records(patch: pytest.MonkeyPatch) -> None:
    """A write sends all fields of the record, changed or not."""
    sound = planning._compared  # pyright: ignore[reportPrivateUsage]  # it is what is broken

    def compared(asked: Asked) -> LinkPlan:
        made = sound(asked)
        return replace(made, writes=tuple(replace(each, fields=all_of(asked, each)) for each in made.writes))

    def all_of(asked: Asked, write: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for unit in asked.pair.units:
            turn = unit.to_b if write.side == "b" else unit.to_a
            values: Fields = asked.view(unit, "a" if write.side == "b" else "b").value
            fields |= turn(values) if turn and values else {}
        return fields | write.fields

    patch.setattr(planning, "_compared", compared)


def no_brake(patch: pytest.MonkeyPatch) -> None:
    """What is missing is deleted, however much it is."""

    async def braked(bench: Any, count: int) -> bool:
        return False

    patch.setattr(deleting, "_braked", braked)


def no_compare_and_set(patch: pytest.MonkeyPatch) -> None:
    """A write does not say which version it is for."""
    patch.setattr(executing, "_given", lambda bench, intent: None)


def source_moved_first(patch: pytest.MonkeyPatch) -> None:
    """A change counts as done when it is planned."""
    sound = planning.noticed

    def noticed(link: Link, made: LinkPlan, a: Record | None, b: Record | None, **more: Any) -> Link:
        done = sound(link, made, a, b, **more)
        update: dict[str, Any] = {}
        for write in made.writes:
            source = done.b if write.side == "a" else done.a
            if source is not None:
                fields = {**source.fields, **write.source}
                update["b" if write.side == "a" else "a"] = source.model_copy(update={"fields": fields})
        return done.model_copy(update=update)

    patch.setattr(planning, "noticed", noticed)


def index_not_unique(patch: pytest.MonkeyPatch) -> None:
    """A record is entered into the index of links, whoever has it."""
    sound = ledger.Ledger._changes  # pyright: ignore[reportPrivateUsage]  # it is what is broken

    def changes(self: Any, savings: Sequence[ledger.Saving]) -> Any:
        for one in sound(self, savings):
            yield replace(one, version=None) if one.key[:2] in ("a/", "b/") else one

    patch.setattr(ledger.Ledger, "_changes", changes)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether the lease is still held when something is kept."""
    sound = testing.MortalValues.write

    async def write(
        self: testing.MortalValues, changes: Sequence[ValueChange], *, given: Mapping[str, int] | None = None
    ) -> bool:
        return await sound(self, changes)

    patch.setattr(testing.MortalValues, "write", write)
    patch.setattr(ledger.Ledger, "hold", lambda self: None)  # pyright: ignore[reportUnknownLambdaType]

    async def kept(self: ledger.Ledger, changes: Sequence[ValueChange]) -> None:
        if changes:
            await self.values.write(list({one.key: one for one in changes}.values()))

    patch.setattr(ledger.Ledger, "write", kept)


def drift_is_written(patch: pytest.MonkeyPatch) -> None:
    """What is unequal is made equal, though nobody has changed it."""
    sound = comparing.Compared._drift  # pyright: ignore[reportPrivateUsage]  # it is what is broken

    def drift(self: comparing.Compared) -> None:
        sound(self)
        made = self.asked.converted(self.unit, "a", self.b)
        if made.known:
            self.draft.write("a", self.unit, made.fields, self.a, self.b.value, "unequal")

    patch.setattr(comparing.Compared, "_drift", drift)


def no_breaker(patch: pytest.MonkeyPatch) -> None:
    """A link is written as often as something answers."""
    patch.setattr(executing, "too_often", lambda bench, link: "")
    patch.setattr(executing, "alternating", lambda bench, link, made: "")


def poison_stops_all(patch: pytest.MonkeyPatch) -> None:
    """The first record that is refused ends the cycle."""

    async def attempt(bench: Any, dirty: Any, side: Any, error: Exception, fields: Any) -> None:
        raise executing.Unclear("it is refused") from error

    patch.setattr(executing, "attempt", attempt)


def against_the_direction(patch: pytest.MonkeyPatch) -> None:
    """A unit of one direction takes part in both."""

    def writable(self: Asked, unit: Any, side: Any) -> bool:
        return True

    def usable(self: comparing.Compared, side: Any, made: Any, why: str) -> bool:
        source, target = (self.a, self.b) if side == "b" else (self.b, self.a)
        names = zip(self.unit.b if side == "b" else self.unit.a, source.value.values(), strict=False)
        self.draft.write(side, self.unit, dict(names), target, source.value, why)
        return True

    patch.setattr(Asked, "writable", writable)
    patch.setattr(comparing.Compared, "_write", usable)


def merged_at_once(patch: pytest.MonkeyPatch) -> None:
    """The first half of a merge counts as done for both sides."""
    sound = comparing.Draft.write

    def write(self: Any, side: Any, unit: Any, *given: Any, done: bool = True) -> None:
        sound(self, side, unit, *given, done=True)

    patch.setattr(comparing.Draft, "write", write)


def held_changes_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The loser of a conflict is not kept."""

    def none(bench: Any, dirty: Any, made: LinkPlan) -> list[ValueChange]:
        return []

    patch.setattr(executing, "disputed", none)


PURE, CRASHES, READS = "planning_laws", "crashing", "reading_laws"
DECIDES, MANY = "deciding_laws", "many_laws"

MUTANTS: dict[str, Mutant] = {
    "one base for both sides": Mutant(
        single_base, law(PURE, "test_p3_p5_one_edit_is_one_write_and_stays_as_it_was_typed")
    ),
    "the read-back is skipped": Mutant(
        read_back_skipped, law(DECIDES, "test_p3_p5_a_normalised_edit_is_one_write_and_stays_as_typed", False, "a")
    ),
    "all of the read-back is taken": Mutant(
        whole_read_back, law(DECIDES, "test_p21_an_edit_of_another_field_survives_a_write", True)
    ),
    "written before the intent is kept": Mutant(
        write_before_intent,
        law(CRASHES, "test_p6_p7_a_kill_makes_no_second_record_where_nothing_can_be_looked_up", Creating.NONE),
    ),
    "the cursor moves before the commit": Mutant(cursor_before_commit, law(READS, "test_p12_a_kill_loses_no_change")),
    "no overlap": Mutant(no_overlap, law(READS, "test_p12_what_shows_up_late_is_not_missed", 5.0, 1.0, 0.0)),
    "only what is strictly later": Mutant(
        strictly_after, law(READS, "test_p12_equal_stamps_that_fill_pages_are_all_read", Paging.KEYSET, 2)
    ),
    "echoes are told by who wrote": Mutant(
        echo_by_who_wrote, law(DECIDES, "test_p21_an_edit_of_another_field_survives_a_write", False)
    ),
    "a lost create is made again": Mutant(
        created_again, law(CRASHES, "test_p7_where_nobody_can_tell_a_person_is_asked", FaultKind.LOST)
    ),
    "newest by the stamps alone": Mutant(
        newest_by_stamps, law(DECIDES, "test_p10_the_newer_edit_wins_by_measured_clocks", 600.0, -600.0, 0.0, 0.0)
    ),
    "absent clears": Mutant(absent_clears, law(PURE, "test_p22_absent_never_clears")),
    "whole records are written": Mutant(whole_records, law(DECIDES, "test_p4_a_write_holds_the_changed_field_alone")),
    "no brake": Mutant(no_brake, law(READS, "test_p16_an_empty_list_deletes_nothing", "deleted")),
    "no compare and set": Mutant(
        no_compare_and_set, law(DECIDES, "test_p21_an_edit_between_reading_and_writing_is_not_overwritten", True)
    ),
    "the source moves before the write": Mutant(
        source_moved_first, law(READS, "test_p26_a_throttled_side_costs_no_try_and_loses_nothing")
    ),
    "the index of links is not unique": Mutant(index_not_unique, law(MANY, "test_p17_no_record_is_in_two_links")),
    "no fence": Mutant(no_fence, law(MANY, "test_p29_what_a_worker_writes_without_its_lease_is_refused")),
    "drift is written": Mutant(
        drift_is_written, law(PURE, "test_p3_p5_one_edit_is_one_write_and_stays_as_it_was_typed")
    ),
    "no breaker": Mutant(no_breaker, law(DECIDES, "test_p32_a_system_that_answers_each_write_is_parked", "title")),
    "one bad record stops all": Mutant(
        poison_stops_all, law(DECIDES, "test_p20_a_record_that_is_always_refused_stops_no_other")
    ),
    "written against the direction": Mutant(
        against_the_direction, law(PURE, "test_p24_a_unit_is_never_written_against_its_direction")
    ),
    "the first half of a merge counts as both": Mutant(
        merged_at_once, law("../planning", "test_a_merge_that_was_cut_off_after_one_side_is_finished")
    ),
    "losers are not kept": Mutant(
        held_changes_are_forgotten, law(DECIDES, "test_p8_the_loser_of_a_conflict_is_kept", Rule.NEWEST)
    ),
}


def kept_by(law: Law) -> bool:
    """Whether a law holds. An error that is no statement of a law is one of the mutant itself, and is raised."""
    try:
        law()
    except (AssertionError, pytest.fail.Exception):
        return False
    except BaseExceptionGroup as group:  # several ways in which it does not hold
        if group.split(AssertionError)[1] is not None:
            raise
        return False
    return True


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law that is named for a defect, and holds for the sound kernel, does not hold with it."""
    mutant = MUTANTS[name]
    mutant.plant(monkeypatch)
    assert not kept_by(mutant.law)
