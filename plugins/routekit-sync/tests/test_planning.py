"""What one link needs: each rule of planning by an example."""

from typing import Any

import pytest

from routekit.remotes import Fields, Record
from routekit.testing.remote import FakeRemote, Knobs
from routekit_sync import Clash, Decision, Deleted, Outside, Rule, SyncPair, Unit
from routekit_sync.planning import half, matched, noticed, parents_of, plan, refused, settled
from routekit_sync.plans import Clocks, LinkPlan, Write
from routekit_sync.state import Intent, Link, Shadow


def renamed(a: str, b: str, **options: Any) -> Unit:
    """A unit of one field, with another name on each side."""

    def to_b(fields: Fields) -> Fields:
        return {b: fields[a]} if a in fields else {}

    def to_a(fields: Fields) -> Fields:
        return {a: fields[b]} if b in fields else {}

    return Unit(a, [a], [b], **{"to_b": to_b, "to_a": to_a, **options})


def pair(*units: Unit, a: Knobs | None = None, b: Knobs | None = None, **options: Any) -> SyncPair:
    return SyncPair("people", FakeRemote("crm", a or Knobs()), FakeRemote("erp", b or Knobs()), units, **options)


NAME, PHONE = renamed("name", "title"), renamed("phone", "tel")
BOTH = pair(NAME, PHONE)


def linked(a: Fields, b: Fields, **more: Any) -> Link:
    return Link(id="l", a=Shadow(id="1", fields=dict(a)), b=Shadow(id="2", fields=dict(b)), **more)


STEADY = linked({"name": "Ada", "phone": "1"}, {"title": "Ada", "tel": "1"})


def at(id: str, stamp: float | None = None, **fields: Any) -> Record:
    return Record(id, fields, stamp=stamp)


def a(name: Any = "Ada", phone: Any = "1", stamp: float | None = None) -> Record:
    return at("1", stamp, name=name, phone=phone)


def b(title: Any = "Ada", tel: Any = "1", stamp: float | None = None) -> Record:
    return at("2", stamp, title=title, tel=tel)


def sent(made: LinkPlan) -> list[tuple[str, str, dict[str, Any]]]:
    return [(write.side, write.op, write.fields) for write in made.writes]


def intent(write: Write) -> Intent:
    return Intent(
        id="i", side=write.side, op=write.op, fields=write.fields, source=write.source,
        preimage=write.preimage, units=list(write.units),
    )  # fmt: skip


def test_what_has_not_changed_is_not_written() -> None:
    """Two records as they were last reported need nothing."""
    assert plan(STEADY, a(), b(), BOTH) == LinkPlan("l")


def test_a_change_goes_to_the_other_side_alone() -> None:
    """A change on one side writes that unit to the other, whatever the stamps say."""
    assert sent(plan(STEADY, a("Eve", stamp=1.0), b(stamp=9e9), BOTH)) == [("b", "update", {"title": "Eve"})]
    assert sent(plan(STEADY, a(stamp=9e9), b(tel="2", stamp=1.0), BOTH)) == [("a", "update", {"phone": "2"})]


def test_changes_of_different_units_cross() -> None:
    """Each side's change goes to the other, when they are in different units: that is no conflict."""
    made = plan(STEADY, a("Eve"), b(tel="2"), BOTH)
    assert sent(made) == [("a", "update", {"phone": "2"}), ("b", "update", {"title": "Eve"})]
    assert not made.disputes


def test_the_same_change_on_both_sides_is_agreed() -> None:
    """Both sides changed alike: nothing is written, and both shadows move."""
    made = plan(STEADY, a("Eve"), b("Eve"), BOTH)
    assert (made.writes, made.agreed) == ((), ("name",))
    moved = noticed(STEADY, made, a("Eve"), b("Eve"))
    assert moved.a is not None
    assert moved.a.fields["name"] == "Eve"
    assert plan(moved, a("Eve"), b("Bob"), BOTH).writes[0].side == "a"


def test_a_side_that_was_not_looked_at_is_as_it_was() -> None:
    """None stands for the shadow: no change is seen there, and no conflict."""
    assert sent(plan(STEADY, a("Eve"), None, BOTH)) == [("b", "update", {"title": "Eve"})]
    assert sent(plan(STEADY, None, b("Eve"), BOTH)) == [("a", "update", {"name": "Eve"})]


def test_a_normalised_write_is_no_change() -> None:
    """What a side makes of a value that it was given is taken into its shadow: nothing flows back, nothing again."""
    made = plan(STEADY, a("  Eve"), b(), BOTH)
    after = settled(noticed(STEADY, made, a("  Eve"), b()), intent(made.writes[0]), b("eve"), BOTH)
    again = plan(after, a("  Eve"), b("eve"), BOTH)
    assert (again.writes, again.drift) == ((), ("name",))


def test_an_edit_beside_a_write_is_not_swallowed() -> None:
    """The read-back of a write settles what was written: another field that changed meanwhile is a change still."""
    made = plan(STEADY, a("Eve"), b(), BOTH)
    after = settled(noticed(STEADY, made, a("Eve"), b()), intent(made.writes[0]), b("Eve", tel="9"), BOTH)
    assert sent(plan(after, a("Eve"), b("Eve", tel="9"), BOTH)) == [("a", "update", {"phone": "9"})]


def test_an_edit_of_the_source_after_planning_is_a_change_still() -> None:
    """The source's shadow becomes what was written, not what the source has become since."""
    made = plan(STEADY, a("Eve"), b(), BOTH)
    after = settled(noticed(STEADY, made, a("Eve"), b()), intent(made.writes[0]), b("Eve"), BOTH)
    assert sent(plan(after, a("Eva"), b("Eve"), BOTH)) == [("b", "update", {"title": "Eva"})]


def test_a_write_that_is_not_done_is_planned_again() -> None:
    """Until it is settled, a change stays a change."""
    made = plan(STEADY, a("Eve"), b(), BOTH)
    assert plan(noticed(STEADY, made, a("Eve"), b()), a("Eve"), b(), BOTH).writes == made.writes


def conflict(rule: Any, left: Any, right: Any, base: Any = "old", **more: Any) -> LinkPlan:
    known = linked({"name": base}, {"title": base})
    given = pair(renamed("name", "title", rule=rule))
    clocks = more.pop("clocks", Clocks())
    return plan(
        known, at("1", more.get("at_a"), name=left), at("2", more.get("at_b"), title=right), given, clocks=clocks
    )


@pytest.mark.parametrize(
    ("rule", "left", "right", "base", "expected", "outcome"),
    [
        (Rule.A, "x", "y", "old", [("b", "x")], "a"),
        (Rule.B, "x", "y", "old", [("a", "y")], "b"),
        (Rule.NON_EMPTY, "x", "y", "old", [("b", "x")], "a"),
        (Rule.NON_EMPTY, "", "y", "old", [("a", "y")], "b"),
        (Rule.NON_EMPTY, None, "y", "old", [("a", "y")], "b"),
        (Rule.NON_EMPTY, 0, 5, 1, [("b", 0)], "a"),
        (Rule.MAX, 3, 5, 1, [("a", 5)], "b"),
        (Rule.MAX, 7, 5, 1, [("b", 7)], "a"),
        (Rule.MAX, 7, None, 1, [("b", 7)], "a"),
        (Rule.MIN, 3, 5, 9, [("b", 3)], "a"),
        (Rule.MIN, 0, 5, 9, [("b", 0)], "a"),
        (Rule.MAX, "x", 5, 1, [], "manual"),
        (Rule.UNION, ["x"], ["y"], [], [("a", ["x", "y"]), ("b", ["x", "y"])], "merged"),
        (Rule.UNION, ["x", "y"], ["y"], [], [("b", ["x", "y"])], "a"),
        (Rule.UNION, "x", ["y"], [], [], "manual"),
        (Rule.APPEND, "old A", "old B", "old", [("a", "old A B"), ("b", "old A B")], "merged"),
        (Rule.APPEND, ["o", "A"], ["o", "B"], ["o"], [("a", ["o", "A", "B"]), ("b", ["o", "A", "B"])], "merged"),
        (Rule.APPEND, "new", "old B", "old", [("a", "new B"), ("b", "new B")], "merged"),
        (Rule.APPEND, "new", "other", "old", [], "manual"),
        (Rule.MANUAL, "x", "y", "old", [], "manual"),
    ],
)
def test_each_rule_decides_a_conflict(
    rule: Rule, left: Any, right: Any, base: Any, expected: list[Any], outcome: str
) -> None:
    """A rule says who wins, and the dispute holds both values; what is left to a person is not written."""
    made = conflict(rule, left, right, base)
    assert [(write.side, *write.fields.values()) for write in made.writes] == expected
    (told,) = made.disputes
    assert (told.outcome, told.value_a, told.value_b) == (outcome, {"name": left}, {"title": right})
    assert made.frozen == (("name",) if outcome == "manual" else ())


@pytest.mark.parametrize(
    ("stamp_a", "stamp_b", "clocks", "outcome"),
    [
        (100.0, 200.0, Clocks(), "b"),
        (200.0, 100.0, Clocks(), "a"),
        (700.0, 200.0, Clocks(offset_a=600.0), "b"),
        (100.0, 650.0, Clocks(offset_b=600.0), "a"),
        (100.0, 104.0, Clocks(uncertainty=5.0), "a"),
        (100.0, 101.0, Clocks(), "a"),
        (None, 101.0, Clocks(), "a"),
    ],
)
def test_the_newest_wins_by_clocks_that_are_put_right(
    stamp_a: float | None, stamp_b: float, clocks: Clocks, outcome: str
) -> None:
    """The known offset is taken off; what is nearer than is certain goes to side a, and that is said."""
    made = conflict(Rule.NEWEST, "x", "y", at_a=stamp_a, at_b=stamp_b, clocks=clocks)
    assert made.disputes[0].outcome == outcome
    assert made.writes[0].side == ("b" if outcome == "a" else "a")


def test_a_rule_of_ones_own_decides_or_leaves_it() -> None:
    """It is given the values as side a would have them; None leaves it to a person, and so does its failure."""

    def longest(clash: Clash) -> Decision:
        return Decision(max(clash.a, clash.b, key=lambda each: len(each["name"])), "the longest")

    assert conflict(longest, "x", "yy").writes[0].side == "a"
    assert conflict(lambda clash: Decision({"name": "both"}), "x", "yy").disputes[0].outcome == "merged"
    assert conflict(lambda clash: Decision(None), "x", "yy").frozen == ("name",)
    assert conflict(lambda clash: 1 / 0, "x", "yy").disputes[0].why == "the rule failed with ZeroDivisionError"


def test_a_merge_that_was_cut_off_after_one_side_is_finished() -> None:
    """Side a has the merged value, side b has not yet: what is left is a change of a, and nothing is appended twice."""
    given = pair(renamed("name", "title", rule=Rule.APPEND))
    known = linked({"name": "o"}, {"title": "o"})
    made = plan(known, at("1", name="oA"), at("2", title="oB"), given)
    first = settled(noticed(known, made, None, None), intent(made.writes[0]), at("1", name="oAB"), given)
    rest = plan(first, at("1", name="oAB"), at("2", title="oB"), given)
    assert sent(rest) == [("b", "update", {"title": "oAB"})]


def test_a_frozen_unit_waits_while_others_flow() -> None:
    """A unit that a person has to decide is not written again, nor told again, until both sides agree."""
    frozen = STEADY.model_copy(update={"conflicts": {"name": "c1"}})
    made = plan(frozen, a("Eve", phone="2"), b("Bob"), BOTH)
    assert (sent(made), made.frozen, made.disputes) == ([("b", "update", {"tel": "2"})], ("name",), ())
    agreed = plan(frozen, a("Eve"), b("Eve"), BOTH)
    assert noticed(frozen, agreed, a("Eve"), b("Eve")).conflicts == {}


def test_a_decision_settles_a_frozen_unit() -> None:
    """What a person decided is written where it is missing; the conflict is over once that is done."""
    frozen = STEADY.model_copy(update={"conflicts": {"name": "c1"}})
    made = plan(frozen, a("Eve"), b("Bob"), BOTH, decided={"name": "b"})
    assert sent(made) == [("a", "update", {"name": "Bob"})]
    assert settled(frozen, intent(made.writes[0]), a("Bob"), BOTH).conflicts == {}
    mixed = plan(frozen, a("Eve"), b("Bob"), BOTH, decided={"name": Decision({"name": "Ann"})})
    assert sent(mixed) == [("a", "update", {"name": "Ann"}), ("b", "update", {"title": "Ann"})]


def test_drift_is_listed_and_not_written() -> None:
    """Unequal, and no side has changed: nobody knows who is right, so nothing is written."""
    drifted = linked({"name": "Ada", "phone": "1"}, {"title": "ADA", "tel": "1"})
    made = plan(drifted, a(), b("ADA"), BOTH)
    assert (made.writes, made.drift) == ((), ("name",))
    assert sent(plan(drifted, a(), b("ADA"), BOTH, decided={"name": "a"})) == [("b", "update", {"title": "Ada"})]


def test_a_declared_equivalence_is_agreement() -> None:
    """What means the same is not written, on whichever side it changed."""

    def folded(left: Fields, right: Fields) -> bool:
        return {str(value).lower() for value in left.values()} == {str(value).lower() for value in right.values()}

    given = pair(renamed("name", "title", same=folded, same_a=folded), PHONE)
    assert plan(STEADY, a("ADA"), b(), given).writes == ()
    assert plan(STEADY, a(), b("aDA"), given).writes == ()
    assert sent(plan(STEADY, a("Eve"), b(), given)) == [("b", "update", {"title": "Eve"})]


ONE_WAY = renamed("name", "title", to_a=None)
REVERTED = renamed("name", "title", to_a=None, revert=True)


def test_a_unit_of_one_direction_is_never_written_against_it() -> None:
    """A change on the side that is not read from is listed, or reverted; its next change overwrites it, and is told."""
    made = plan(STEADY, a(), b("Bob"), pair(ONE_WAY, PHONE))
    assert (made.writes, made.drift) == ((), ("name",))
    known = noticed(STEADY, made, a(), b("Bob"))
    later = plan(known, a("Eve"), b("Bob"), pair(ONE_WAY, PHONE))
    assert sent(later) == [("b", "update", {"title": "Eve"})]
    assert later.disputes[0].value_b == {"title": "Bob"}
    reverted = plan(STEADY, a(), b("Bob"), pair(REVERTED, PHONE))
    assert sent(reverted) == [("b", "update", {"title": "Ada"})]
    assert reverted.disputes[0].value_b == {"title": "Bob"}


def test_a_default_is_written_at_creation_alone() -> None:
    """A unit that is only for new records is in the create, and never in an update."""
    given = pair(NAME, renamed("phone", "tel", only_new=True))
    assert plan(STEADY, a(phone="2"), b(tel="3"), given).writes == ()
    made = plan(half("l", "a", a()), a(), None, given)
    assert sent(made) == [("b", "create", {"title": "Ada", "tel": "1"})]


def test_absent_none_and_empty_are_three_things() -> None:
    """Absent never clears; None does, and so does an empty text; 0 is a value."""
    assert plan(STEADY, at("1", phone="1"), b(), BOTH).writes == ()
    assert sent(plan(STEADY, a(phone=None), b(), BOTH)) == [("b", "update", {"tel": None})]
    assert sent(plan(STEADY, a(phone=""), b(), BOTH)) == [("b", "update", {"tel": ""})]
    assert sent(plan(STEADY, a(phone=0), b(), BOTH)) == [("b", "update", {"tel": 0})]


def street(fields: Fields) -> Fields:
    return {"address": f"{fields['street']}, {fields['town']}"}


def apart(fields: Fields) -> Fields:
    street, comma, town = fields["address"].partition(", ")
    if not comma:
        raise ValueError("an address has a street and a town")
    return {"street": street, "town": town}


ADDRESS = Unit("address", ["street", "town"], ["address"], street, apart)
AT_HOME = linked({"street": "Main 1", "town": "York"}, {"address": "Main 1, York"})


def test_fields_of_one_unit_move_together() -> None:
    """A new town sends the street too, and a report without the street stands for the one there was."""
    made = plan(AT_HOME, at("1", town="Bath"), None, pair(ADDRESS))
    assert sent(made) == [("b", "update", {"address": "Main 1, Bath"})]
    both = plan(AT_HOME, at("1", street="Hill 2", town="York"), at("2", address="Main 1, Bath"), pair(ADDRESS))
    assert [told.unit for told in both.disputes] == ["address"]


def test_what_cannot_be_converted_concerns_its_unit_alone() -> None:
    """The unit is named with the reason, its change stays one, and others go on."""
    known = linked({"name": "Ada", **AT_HOME.a.fields}, {"title": "Ada", **AT_HOME.b.fields})  # type: ignore[union-attr]
    given = pair(ADDRESS, NAME)
    report = at("2", address="nowhere", title="Eve")
    made = plan(known, None, report, given)
    assert sent(made) == [("a", "update", {"name": "Eve"})]
    assert made.problems == {"address": "an address has a street and a town"}
    mended = plan(noticed(known, made, None, report), None, at("2", address="Main 1, Bath", title="Ada"), given)
    assert ("a", "update", {"street": "Main 1", "town": "Bath"}) in sent(mended) or mended.writes[0].fields[
        "town"
    ] == "Bath"


def test_what_cannot_be_compared_concerns_its_unit_alone() -> None:
    """A comparison that fails is a problem of its unit, and nothing of it is written."""
    given = pair(
        renamed("name", "title", same=lambda left, right: left["title"].lower() == right["title"].lower()), PHONE
    )
    made = plan(STEADY, a(name=7, phone="2"), b(), given)
    assert sent(made) == [("b", "update", {"tel": "2"})]
    assert made.problems == {"name": "AttributeError in the comparison of two values of side b"}


def test_a_reason_tells_nothing_personal() -> None:
    """The text of a failed conversion is left out for a unit that is sensitive."""

    def fails(fields: Fields) -> Fields:
        raise ValueError(f"no phone: {fields['phone']}")

    given = pair(renamed("phone", "tel", to_b=fails, to_a=None, sensitive={"phone": "phone", "tel": "phone"}))
    assert "555" not in plan(STEADY, a(phone="555"), b(), given).problems["phone"]


def test_a_refused_value_is_not_sent_again() -> None:
    """A unit is blocked while the refused value stands; another value is tried, and an agreement ends it."""
    made = plan(STEADY, a(phone="too long", name="Eve"), b(), BOTH)
    blocked = refused(STEADY, intent(made.writes[0]), {"tel": "at most 5"}, BOTH)
    again = plan(blocked, a(phone="too long", name="Eve"), b(), BOTH)
    assert (sent(again), again.blocked) == ([("b", "update", {"title": "Eve"})], ("phone",))
    assert sent(plan(blocked, a(phone="2"), b(), BOTH)) == [("b", "update", {"tel": "2"})]
    agreed = plan(blocked, a(phone="2"), b(tel="2"), BOTH)
    assert noticed(blocked, agreed, a(phone="2"), b(tel="2")).blocked == {}


def test_a_record_that_is_alone_is_created() -> None:
    """What is missing on one side is made there, without what is None; and both shadows know it then."""
    link = half("l", "a", a(phone=None))
    made = plan(link, a(phone=None), None, BOTH)
    assert sent(made) == [("b", "create", {"title": "Ada"})]
    after = settled(link, intent(made.writes[0]), b(tel=None), BOTH)
    assert after.state == "linked"
    assert plan(after, a(phone=None), b(tel=None), BOTH).writes == ()
    assert sent(plan(after, a(), b(tel=None), BOTH)) == [("b", "update", {"tel": "1"})]


def test_a_create_that_is_found_later_may_have_been_edited() -> None:
    """A unit that is not as it was sent is unknown on both sides then: the rule decides, and both values are kept."""
    link = half("l", "a", a())
    made = plan(link, a(), None, BOTH)
    after = settled(link, intent(made.writes[0]), b("Eve"), BOTH, late=True)
    assert [told.value_b for told in plan(after, a(), b("Eve"), BOTH).disputes] == [{"title": "Eve"}]
    assert not plan(settled(link, intent(made.writes[0]), b(), BOTH, late=True), a(), b(), BOTH).writes


def test_nothing_is_created_where_nothing_shall_be() -> None:
    """`creates` and what the system can do both have to allow it."""
    assert plan(half("l", "a", a()), a(), None, pair(NAME, creates="a")).writes == ()
    assert plan(half("l", "a", a()), a(), None, pair(NAME, b=Knobs(can_create=False))).writes == ()
    assert sent(plan(half("l", "b", b()), None, b(), pair(NAME, creates="a"))) == [("a", "create", {"name": "Ada"})]


def test_two_records_that_are_found_to_be_one_complete_each_other() -> None:
    """At the first meeting what is empty says nothing; where both have a value and differ, that is a conflict."""
    left, right = a("Ada", phone=""), b("Eve", tel="5")
    made = plan(matched("l", left, right), left, right, BOTH)
    assert sent(made) == [("a", "update", {"phone": "5"}), ("b", "update", {"title": "Ada"})]
    assert [told.unit for told in made.disputes] == ["name"]


GONE_A, GONE_B = Record("1", deleted=True), Record("2", deleted=True)
OFF = Knobs(archive={"active": False})


@pytest.mark.parametrize(
    ("policy", "left", "expected"),
    [
        (Deleted.ARCHIVE, b(), [("b", "archive", {"active": False})]),
        (Deleted.ARCHIVE, b("Eve"), [("b", "archive", {"active": False})]),
        (Deleted.ARCHIVE, at("2", title="Ada", active=False), []),
        (Deleted.DELETE, b(), [("b", "delete", {})]),
        (Deleted.DELETE, b("Eve"), [("a", "create", {"name": "Eve", "phone": "1"})]),
        (Deleted.DELETE_WINS, b("Eve"), [("b", "delete", {})]),
        (Deleted.KEEP, b("Eve"), []),
    ],
)
def test_a_deletion_does_what_its_policy_says(policy: Deleted, left: Record, expected: list[Any]) -> None:
    """A record that is certainly gone ends the link, and the other one is treated by the policy."""
    made = plan(STEADY, GONE_A, left, pair(NAME, PHONE, b=OFF, deletes=policy))
    assert sent(made) == expected
    assert made.verdict == ("" if expected and expected[0][1] == "create" else "dead")
    assert len(made.disputes) == (1 if policy is Deleted.DELETE_WINS else 0)


def test_a_system_that_cannot_archive_keeps_the_record() -> None:
    """Nothing is deleted instead of being put out of use; the reason says so."""
    made = plan(STEADY, GONE_A, b(), BOTH)
    assert (made.writes, made.verdict) == ((), "dead")
    assert "cannot put it out of use" in made.why


def test_what_is_gone_on_both_sides_is_dead() -> None:
    """Nothing is written, and a dead link stays dead, whatever is reported late."""
    made = plan(STEADY, GONE_A, GONE_B, BOTH)
    dead = noticed(STEADY, made, GONE_A, GONE_B)
    assert (made.writes, dead.state) == ((), "dead")
    assert plan(dead, a("late"), None, BOTH).writes == ()


def test_a_record_that_was_brought_back_has_a_new_id() -> None:
    """The old id is an alias, and a late word of its deletion is not taken for one of the new record."""
    given = pair(NAME, PHONE, deletes=Deleted.DELETE)
    made = plan(STEADY, GONE_A, b("Eve"), given)
    after = settled(
        noticed(STEADY, made, GONE_A, b("Eve")), intent(made.writes[0]), at("9", name="Eve", phone="1"), given
    )
    assert after.a is not None
    assert (after.a.id, after.aliases_a, after.a.present) == ("9", ["1"], True)
    assert plan(after, GONE_A, None, given).verdict == ""


def outside(policy: Outside, **more: Any) -> SyncPair:
    return pair(NAME, PHONE, outside=policy, scope_a=lambda record: record.fields.get("phone") != "0", **more)


def test_a_record_out_of_scope_is_left_in_peace() -> None:
    """It is frozen, unlinked, or treated as deleted; one that comes back brings its changes."""
    left = a("Eve", phone="0")
    made = plan(STEADY, left, b(), outside(Outside.FREEZE))
    frozen = noticed(STEADY, made, left, b())
    assert (made.writes, frozen.state) == ((), "outside")
    assert plan(frozen, None, b("Bob"), outside(Outside.FREEZE)).writes == ()
    back = plan(frozen, a("Eve"), b(), outside(Outside.FREEZE))
    assert sent(back) == [("b", "update", {"title": "Eve"})]
    assert noticed(frozen, back, a("Eve"), b()).state == "linked"
    assert plan(STEADY, left, b(), outside(Outside.UNLINK)).verdict == "unlink"
    assert sent(plan(STEADY, left, b(), outside(Outside.DELETE, deletes=Deleted.DELETE))) == [("b", "delete", {})]


OWNER = renamed("owner", "account")
OWNED = pair(NAME, OWNER, parents={"owner": "accounts"})
KNOWN = linked({"name": "Ada", "owner": "A1"}, {"title": "Ada", "account": "B1"})


def test_an_id_of_a_parent_is_exchanged() -> None:
    """The other side gets its own id of the parent; who plans asks for the ones that are needed."""
    report = at("1", name="Ada", owner="A2")
    assert parents_of(KNOWN, report, None, OWNED) == {("accounts", "a", "A2"), ("accounts", "b", "B1")}
    parents = {("accounts", "a", "A2"): "B2", ("accounts", "b", "B1"): "A1"}
    made = plan(KNOWN, report, None, OWNED, parents=parents)
    assert sent(made) == [("b", "update", {"account": "B2"})]


def test_a_child_waits_for_its_parent() -> None:
    """A create waits as a whole, a change of the reference by itself; a reference left out is written later."""
    report = at("1", name="Eve", owner="A2")
    alone = plan(half("l", "a", report), report, None, OWNED)
    assert (alone.writes, alone.waits_for) == ((), "accounts/a/A2")
    circle = plan(half("l", "a", report), report, None, OWNED, without={"owner"})
    assert sent(circle) == [("b", "create", {"title": "Eve"})]
    after = settled(half("l", "a", report), intent(circle.writes[0]), at("2", title="Eve", account=None), OWNED)
    patched = plan(after, report, None, OWNED, parents={("accounts", "a", "A2"): "B2"})
    assert sent(patched) == [("b", "update", {"account": "B2"})]
    changed = plan(KNOWN, report, None, OWNED, parents={("accounts", "b", "B1"): "A1"})
    assert (sent(changed), changed.waits_for) == ([("b", "update", {"title": "Eve"})], "accounts/a/A2")


def test_a_link_with_a_write_under_way_is_left_alone() -> None:
    """What is not known is not planned upon: no second create while the first may have been done."""
    link = half("l", "a", a()).model_copy(update={"intents": [Intent(id="i", side="b", op="create", state="unknown")]})
    assert plan(link, a(), None, BOTH).writes == ()


def test_a_shared_field_waits_for_all_units_that_read_it() -> None:
    """A change of a field that one unit has written stays one for the other, which could not be converted."""

    def fails(fields: Fields) -> Fields:
        if fields["name"] == "?":
            raise ValueError("no initial")
        return {"initial": fields["name"][0]}

    initial = Unit("initial", ["name"], ["initial"], fails, None)
    known = linked({"name": "Ada"}, {"title": "Ada", "initial": "A"})
    given = pair(NAME, initial)
    made = plan(known, at("1", name="?"), None, given)
    after = settled(noticed(known, made, at("1", name="?"), None), intent(made.writes[0]), at("2", title="?"), given)
    assert plan(after, at("1", name="?"), None, given).problems == {"initial": "no initial"}
