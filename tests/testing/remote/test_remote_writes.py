"""The writes of a remote in memory: five ways to create twice, conditions, refusals, and what is kept."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from routekit.remotes import Creating, Fields, Forbidden, Gone, Record, Refused, Session, Stale, Taken, Unclear
from routekit.testing.remote import FakeRemote, FakeSystem, Fault, FaultKind, Hidden, Knobs, Merging, Versions

pytestmark = pytest.mark.anyio


class Hand:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def made(**knobs: Any) -> tuple[FakeSystem, Session, Hand]:
    """A system with a session, and its clock."""
    clock = Hand()
    remote = FakeRemote("crm", Knobs(**knobs), now=clock, random=Random(0))
    return remote.system, remote.session(), clock


def without_number(fields: Fields) -> Mapping[str, str]:
    return {"vat": "no number"} if fields.get("vat") == "x" else {}


def counting(fields: Fields) -> Fields:
    return {"n": fields["n"] + 1}


def shouted(fields: Fields) -> str:
    return f"{fields['first']}!"


def short(text: str) -> str:
    return text[:3]


def lowered(text: str | None) -> str | None:
    return text and text.lower()


async def there(session: Session, wanted: str) -> Record:
    """A record that is there."""
    found = await session.get(wanted)
    assert found is not None
    return found


async def test_a_write_changes_these_fields_and_no_other() -> None:
    """None clears, what is not named stays; the log has what was sent, the answer what is kept."""
    system, session, _ = made()
    first = await session.create({"name": "Ada", "phone": "1"}, key="k")
    second = await session.update(first.id, {"phone": None})
    assert second.fields == {"name": "Ada", "phone": None}
    assert second.version != first.version
    await session.delete(first.id)
    await session.delete(first.id)
    assert system.writes == [
        ("create", first.id, {"name": "Ada", "phone": "1"}),
        ("update", first.id, {"phone": None}),
        ("delete", first.id, {}),
    ]
    assert system.calls == {"create": 1, "update": 1, "delete": 2}
    assert system.records == {}


async def lost(system: FakeSystem, session: Session, fields: Fields) -> None:
    """A create that succeeds, and whose answer is lost."""
    system.faults.plan(Fault(FaultKind.LOST, op="create"))
    with pytest.raises(Unclear):
        await session.create(fields, key="k")
    assert len(system.records) == 1


async def test_a_natural_create_is_an_upsert() -> None:
    """The second changes the first one's record; without its key it is refused, with several it names them."""
    system, session, _ = made(creating=Creating.NATURAL, external_key="ours")
    await lost(system, session, {"ours": "L1", "n": 1})
    again = await session.create({"ours": "L1", "n": 2}, key="k")
    assert (again.id, again.fields) == ("000001", {"ours": "L1", "n": 2})
    with pytest.raises(Refused) as refused:
        await session.create({"n": 2}, key="k")
    assert refused.value.fields == {"ours": "is missing"}
    twin = system.user_create({"ours": "L1"})
    with pytest.raises(Taken) as taken:
        await session.create({"ours": "L1"}, key="k")
    assert taken.value.ids == (again.id, twin)


async def test_a_replaying_create_gives_the_first_answer() -> None:
    """For as long as the key lives, and also if others have changed the record; then there is a second one."""
    system, session, clock = made(creating=Creating.REPLAY, key_life=60.0)
    await lost(system, session, {"n": 1})
    system.user_edit("000001", {"n": 5})
    clock.at += 60.0
    again = await session.create({"n": 1}, key="k")
    assert (again.id, again.fields) == ("000001", {"n": 1})
    assert len(system.records) == 1
    clock.at += 1.0
    assert (await session.create({"n": 1}, key="k")).id == "000002"


async def test_a_replaying_create_takes_no_other_fields() -> None:
    """A key stands for one create."""
    _, session, _ = made(creating=Creating.REPLAY)
    await session.create({"n": 1}, key="k")
    with pytest.raises(Refused, match="other fields"):
        await session.create({"n": 2}, key="k")


@pytest.mark.parametrize(("kind", "records"), [(FaultKind.BEFORE, 0), (FaultKind.AFTER, 1)])
async def test_an_error_may_be_replayed_too(kind: FaultKind, records: int) -> None:
    """The key is spent then, for as long as it lives, whether the record is there or not."""
    for replays in (True, False):
        system, session, _ = made(creating=Creating.REPLAY, replays_errors=replays)
        system.faults.plan(Fault(kind, op="create"))
        with pytest.raises(Unclear):
            await session.create({"n": 1}, key="k")
        assert len(system.records) == records
        if replays:
            with pytest.raises(Unclear, match="an error"):
                await session.create({"n": 1}, key="k")
        else:
            assert (await session.create({"n": 1}, key="k")).id == "000001"


@pytest.mark.parametrize(("creating", "ids"), [(Creating.POINTER, ("000001",)), (Creating.REFUSE, ())])
async def test_a_key_that_was_used_is_refused(creating: Creating, ids: tuple[str, ...]) -> None:
    """With the first one's id, or without a word of it; a key of its own makes a second record."""
    system, session, _ = made(creating=creating)
    await lost(system, session, {"n": 1})
    with pytest.raises(Taken) as taken:
        await session.create({"n": 1}, key="k")
    assert taken.value.ids == ids
    assert (await session.create({"n": 1}, key="other")).id == "000002"


async def test_without_idempotency_there_are_two_records() -> None:
    """The same key means nothing."""
    system, session, _ = made(creating=Creating.NONE)
    await lost(system, session, {"n": 1})
    await session.create({"n": 1}, key="k")
    assert len(system.records) == 2


async def test_a_version_that_is_not_the_present_one_is_stale() -> None:
    """If the system can compare; without a version a write goes through, unless it has to name one."""
    system, session, _ = made()
    first = await session.create({"n": 1}, key="k")
    system.user_edit(first.id, {"m": 1})
    with pytest.raises(Stale):
        await session.update(first.id, {"n": 2}, version=first.version)
    with pytest.raises(Stale):
        await session.delete(first.id, version=first.version)
    fresh = await there(session, first.id)
    await session.update(first.id, {"n": 2}, version=fresh.version)
    await session.update(first.id, {"n": 3})
    assert system.records[first.id].fields == {"n": 3, "m": 1}

    system, session, _ = made(version_required=True)
    first = await session.create({"n": 1}, key="k")
    with pytest.raises(Stale):
        await session.update(first.id, {"n": 2})


async def test_without_compare_and_set_the_last_one_wins() -> None:
    """A version is ignored then."""
    system, session, _ = made(compare_and_set=False)
    first = await session.create({"n": 1}, key="k")
    system.user_edit(first.id, {"n": 5})
    await session.update(first.id, {"n": 2}, version=first.version)
    assert system.records[first.id].fields == {"n": 2}


async def test_a_stamp_as_version_does_not_tell_two_changes_of_one_second_apart() -> None:
    """That is the hole of those who compare stamps."""
    system, session, clock = made(versions=Versions.STAMP, granularity=1.0)
    first = await session.create({"n": 1}, key="k")
    clock.at += 0.5
    system.user_edit(first.id, {"n": 5})
    await session.update(first.id, {"n": 2}, version=first.version)
    clock.at += 1.0
    system.user_edit(first.id, {"n": 6})
    with pytest.raises(Stale):
        await session.update(first.id, {"n": 3}, version=first.version)


async def test_values_are_kept_as_the_system_likes_them() -> None:
    """Lower-cased, cut, and with a default; by whomever they are written, and found by either spelling."""
    system, session, _ = made(
        normalise={"email": str.lower, "name": short},
        defaults={"kind": "Unknown"},
        external_key="email",
    )
    answer = await session.create({"email": "Ada@X.org", "name": "Augusta"}, key="k")
    assert answer.fields == {"email": "ada@x.org", "name": "Aug", "kind": "Unknown"}
    system.user_edit(answer.id, {"email": "B@X.org", "kind": None})
    assert system.records[answer.id].fields == {"email": "b@x.org", "name": "Aug", "kind": "Unknown"}
    assert [record.id for record in await session.find("email", "B@x.ORG")] == [answer.id]
    assert await session.find("email", "ada@x.org") == []


async def test_an_answer_may_be_just_what_was_sent() -> None:
    """Then it has neither version nor stamp, and the record has to be read back."""
    _, session, _ = made(answers=False, normalise={"name": str.lower})
    answer = await session.create({"name": "ADA"}, key="k")
    assert (answer.fields, answer.version, answer.stamp) == ({"name": "ADA"}, None, None)
    assert (await there(session, answer.id)).fields == {"name": "ada"}


async def test_a_field_that_cannot_be_written_is_refused_or_ignored() -> None:
    """Named with its reason; nothing of the write is done."""
    knobs: dict[str, Any] = {"read_only": ["id"], "computed": {"whole": shouted}}
    system, session, _ = made(**knobs)
    await session.create({"first": "Ada"}, key="k")
    for name in ("id", "whole"):
        with pytest.raises(Refused) as refused:
            await session.update("000001", {"first": "Bea", name: "x"})
        assert refused.value.fields == {name: "is read-only"}
    assert system.records["000001"].fields == {"first": "Ada", "whole": "Ada!"}

    system, session, _ = made(**knobs, ignores_read_only=True)
    await session.create({"first": "Ada", "id": 5}, key="k")
    assert system.records["000001"].fields == {"first": "Ada", "whole": "Ada!"}


async def test_a_rule_of_the_system_refuses_by_field() -> None:
    """As its own check of values would."""
    system, session, _ = made(refuses=without_number)
    with pytest.raises(Refused) as refused:
        await session.create({"name": "Ada", "vat": "x"}, key="k")
    assert refused.value.fields == {"vat": "no number"}
    assert system.records == {}


@pytest.mark.parametrize(("names", "ids"), [(True, ("000001",)), (False, ())])
async def test_two_records_cannot_have_one_unique_value(names: bool, ids: tuple[str, ...]) -> None:
    """Neither made nor changed to; no value is no clash, and that of a deleted record is free."""
    system, session, _ = made(unique=["email"], names_taken=names, normalise={"email": lowered})
    await session.create({"email": "a@x.org"}, key="1")
    with pytest.raises(Taken) as taken:
        await session.create({"email": "A@x.org"}, key="2")
    assert taken.value.ids == ids
    await session.create({"email": None}, key="3")
    await session.create({"email": None}, key="4")
    with pytest.raises(Taken):
        await session.update("000002", {"email": "a@x.org"})
    await session.update("000001", {"email": "a@x.org", "n": 1})
    system.user_delete("000001")
    await session.update("000002", {"email": "a@x.org"})


async def test_a_write_that_changes_nothing_may_move_the_version() -> None:
    """It does so unless the knob says otherwise: equal values start automations in some systems."""
    for touches in (True, False):
        _, session, _ = made(touches=touches)
        first = await session.create({"n": 1}, key="k")
        second = await session.update(first.id, {"n": 1})
        assert (second.version != first.version) is touches


async def test_an_automation_answers_each_write_of_ours() -> None:
    """The write's answer does not show it, and the users' own edits do not start it."""
    system, session, _ = made(automation=counting)
    answer = await session.create({"n": 1}, key="k")
    assert answer.fields == {"n": 1}
    assert (await there(session, answer.id)).fields == {"n": 2}
    system.user_edit(answer.id, {"n": 7})
    assert system.records[answer.id].fields == {"n": 7}
    assert len(system.writes) == 1


@pytest.mark.parametrize(
    ("merging", "loser", "winner"),
    [
        (Merging.POINTER, "tombstone of 000002", "000002"),
        (Merging.ALIAS, "000002", "000002"),
        (Merging.NEW, "000003", "000003"),
        (Merging.SILENT, None, "000002"),
    ],
)
async def test_a_merge_leaves_what_the_system_leaves(merging: Merging, loser: str | None, winner: str) -> None:
    """The winner's fields, filled up with the loser's; the loser's id tells of it, gives the other, or nothing."""
    system, session, clock = made(merging=merging)
    system.user_create({"name": "Ada L", "phone": "1"})
    system.user_create({"name": "Ada", "phone": ""})
    clock.at += 1.0
    assert system.user_merge("000001", "000002") == winner
    found = await session.get("000001")
    told = found and (f"tombstone of {found.merged_into}" if found.deleted else found.id)
    assert told == loser
    assert (await there(session, "000002")).id == winner
    assert system.records == {winner: await there(session, winner)}
    assert system.records[winner].fields == {"name": "Ada", "phone": "1"}
    gone = {record.id: record.merged_into for record in (await session.changes(1001.0)).records if record.deleted}
    assert gone["000001"] == (None if merging is Merging.SILENT else winner)


async def test_a_write_to_a_record_that_is_gone_says_so() -> None:
    """With the record that has taken its place; one that never was is gone as well."""
    system, session, _ = made()
    system.user_create({})
    system.user_create({})
    system.user_merge("000001", "000002")
    with pytest.raises(Gone) as gone:
        await session.update("000001", {"n": 1})
    assert gone.value.merged_into == "000002"
    with pytest.raises(Gone):
        await session.update("000009", {"n": 1})


@pytest.mark.parametrize(("hidden", "error"), [(Hidden.FORBIDDEN, Forbidden), (Hidden.MISSING, Gone)])
async def test_a_hidden_record_cannot_be_written(hidden: Hidden, error: type[Exception]) -> None:
    """It says so, or lies."""
    system, session, _ = made(hidden=hidden)
    system.user_create({"n": 1})
    system.user_hide("000001")
    with pytest.raises(error):
        await session.update("000001", {"n": 2})
    assert system.records["000001"].fields == {"n": 1}


async def test_what_a_user_may_not_do_is_forbidden() -> None:
    """Each of the three kinds of writes by itself."""
    _, session, _ = made(can_create=False, can_update=False, can_delete=False)
    with pytest.raises(Forbidden):
        await session.create({}, key="k")
    with pytest.raises(Forbidden):
        await session.update("000001", {})
    with pytest.raises(Forbidden):
        await session.delete("000001")


async def test_more_ids_than_a_batch_takes_are_refused() -> None:
    """As many as it takes are given, those that there are."""
    system, session, _ = made(batch=2)
    system.user_create({})
    assert [record.id for record in await session.many(["000001", "000002"])] == ["000001"]
    with pytest.raises(Refused):
        await session.many(["000001", "000002", "000003"])


async def test_only_fields_that_can_be_found_by_are_found_by() -> None:
    """Others are refused; the index may be late here too."""
    system, session, clock = made(findable=["n"], lag=10.0, lagging=("changes", "find"))
    system.user_create({"n": 1})
    assert await session.find("n", 1) == []
    clock.at += 10.0
    assert [record.id for record in await session.find("n", 1)] == ["000001"]
    system.user_edit("000001", {"n": 2})
    assert [record.fields for record in await session.find("n", 1)] == [{"n": 1}]
    assert await session.find("n", 2) == []
    with pytest.raises(Refused):
        await session.find("m", 1)
