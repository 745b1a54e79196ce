"""More than one of something: links of one record, parents, workers, systems around a hub: P17, P19, P29 and P31."""

from typing import Any

import anyio
import pytest

from routekit import Store
from routekit.remotes import Fields, Record
from routekit.testing.remote import Call, Knobs
from routekit_sync import Match, Unit
from routekit_sync.ledger import Changed, Ledger, Saving
from routekit_sync.planning import half, matched
from routekit_sync.testing import World, renamed

NAME = renamed("name", "title")


def test_p17_no_record_is_in_two_links() -> None:
    """P17: a second link of a record that has one is refused as a whole, on either side, whoever is first."""
    world = World([NAME])

    async def save(store: Store) -> None:
        ledger = Ledger(store.values("sync:people"), world.now)
        await ledger.save(Saving(None, matched("one", Record("a1"), Record("b1"))))
        for link in (half("two", "a", Record("a1")), matched("two", Record("a2"), Record("b1"))):
            with pytest.raises(Changed):
                await ledger.save(Saving(None, link))
        assert sorted(await ledger.linked("a", ["a1", "a2"])) == ["a1"]

    world.run(save)


def reference(a: str, b: str) -> Unit:
    return renamed(a, b)


def firms_and_people(**options: Any) -> tuple[World, World]:
    """Two pairs over one store: people have a firm, which the other pair links."""
    firms = World([NAME], name="firms")
    people = World(
        [NAME, reference("firm", "company")], a=Knobs(prefix="pa"), b=Knobs(prefix="pb"),
        beside=firms, parents={"firm": "firms"}, **options,
    )  # fmt: skip
    return firms, people


def test_p19_a_child_waits_for_its_parent_and_is_released_once() -> None:
    """P19: nothing is written of a child whose parent is not linked; then it is created once, with the other id."""
    firms, people = firms_and_people()
    firm = firms.a.user_create({"name": "Acme"})
    people.a.user_create({"name": "Ann", "firm": firm})
    people.quiet()
    assert not people.b.writes
    assert [link.waits_for for link in people.links()] == [f"firms/a/{firm}"]
    firms.quiet()
    assert people.quiet() == 1
    (other,) = firms.b.records
    (written,) = people.b.writes
    assert (written.op, dict(written.fields)) == ("create", {"title": "Ann", "company": other})


def test_p19_a_reference_changes_when_its_parent_is_there() -> None:
    """P19: a person moves to a new firm: the rest is written at once, the reference once the firm is linked."""
    firms, people = firms_and_people()
    first = firms.a.user_create({"name": "Acme"})
    firms.quiet()
    ann = people.a.user_create({"name": "Ann", "firm": first})
    people.quiet()
    second = firms.a.user_create({"name": "Bolt"})
    people.a.user_edit(ann, {"firm": second, "name": "Anna"})
    people.quiet()
    assert dict(people.b.writes[-1].fields) == {"title": "Anna"}
    firms.quiet()
    assert people.quiet() == 1
    bolt = next(each for each, record in firms.b.records.items() if record.fields["title"] == "Bolt")
    assert dict(people.b.writes[-1].fields) == {"company": bolt}


def test_p19_a_circle_of_references_ends() -> None:
    """P19: records that refer to each other, and one to itself: all are created, and the references follow."""
    world = World([NAME, reference("boss", "chief")], name="staff", parents={"boss": "staff"})
    one, two = world.a.user_create({"name": "One"}), world.a.user_create({"name": "Two"})
    world.a.user_edit(one, {"boss": two})
    world.a.user_edit(two, {"boss": one})
    own = world.a.user_create({"name": "Own"})
    world.a.user_edit(own, {"boss": own})
    world.quiet(most=20)
    there = {record.fields["title"]: each for each, record in world.b.records.items()}
    chiefs = {record.fields["title"]: record.fields.get("chief") for record in world.b.records.values()}
    assert chiefs == {"One": there["Two"], "Two": there["One"], "Own": there["Own"]}
    assert sum(written.op == "create" for written in world.b.writes) == 3


def test_p29_a_worker_whose_lease_ran_out_writes_nothing_any_more() -> None:
    """P29: another worker took over while the first one stood still: no write is made twice, no shadow goes back."""
    world = World([NAME], match=[Match("name", ["name"], ["title"])])
    ann = world.a.user_create({"name": "Ann"})
    world.quiet()
    world.a.user_edit(ann, {"name": "first"})
    world.wait(400)

    async def both(store: Store) -> None:
        slow, fast = world.engine(store), world.engine(store)
        stood = False

        def stand_still(call: Call) -> None:
            nonlocal stood
            if call.op == "changes" and not stood:
                stood = True
                world.clock.time += 1000.0  # its lease runs out, while it waits for an answer

        world.a.before = stand_still
        done = anyio.Event()

        async def late() -> None:
            await slow.cycle()
            done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late)
            await anyio.lowlevel.checkpoint()
            while not stood:
                await anyio.lowlevel.checkpoint()
            world.a.user_edit(ann, {"name": "second"})
            await fast.cycle()
            await done.wait()

    world.run(both)
    world.a.before = None
    world.quiet()
    (record,) = world.b.records.values()
    assert record.fields["title"] == "second"
    sent = [written.fields["title"] for written in world.b.writes if written.op == "update"]
    assert sent in (["second"], ["first", "second"])


def test_p29_what_a_worker_writes_without_its_lease_is_refused() -> None:
    """P29: a ledger whose lease another one has taken writes nothing, not even what nobody else has changed."""
    world = World([NAME])

    async def act(store: Store) -> None:
        values = store.values("sync:people")
        old, new = (Ledger(values, world.now, owner=owner) for owner in ("old", "new"))
        assert await old.acquire(seconds=10)
        assert not await new.acquire(seconds=10)
        world.clock.time += 20
        assert await new.acquire(seconds=10)
        with pytest.raises(Exception, match="lease"):
            await old.save(Saving(None, half("l", "a", Record("a1"))))
        assert await new.link("l") is None
        await new.save(Saving(None, half("l", "a", Record("a1"))))

    world.run(act)


@pytest.mark.parametrize("origin", ["a", "b", "c"])
def test_p31_three_systems_around_a_hub_converge(origin: str) -> None:
    """P31: a record of any system is in all three in the end, and one edit is exactly two writes."""
    match = [Match("name", ["key"], ["key"])]
    units = [renamed("key", "key"), NAME]
    first = World(units, name="one", match=match)
    second = World(units, name="two", match=match, b=Knobs(prefix="c"), beside=first, hub=True)
    systems = {"a": first.a, "b": first.b, "c": second.b}
    fields: dict[str, Fields] = {"a": {"name": "Ann"}, "b": {"title": "Ann"}, "c": {"title": "Ann"}}

    def rest() -> int:
        before = sum(len(system.writes) for system in systems.values())
        for _ in range(4):
            first.quiet()
            second.quiet()
        return sum(len(system.writes) for system in systems.values()) - before

    made = systems[origin].user_create({"key": "k", **fields[origin]})
    assert rest() == 2
    systems[origin].user_edit(made, {"name" if origin == "a" else "title": "Anna"})
    assert rest() == 2
    told = [
        record.fields.get("name", record.fields.get("title"))
        for each in systems.values()
        for record in each.records.values()
    ]
    assert told == ["Anna", "Anna", "Anna"]
