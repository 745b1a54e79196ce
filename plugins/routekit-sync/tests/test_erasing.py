"""Erasing a person: nothing of it is left in what pairs remember, and no system brings it back."""

from base64 import b64encode
from typing import Any

import pytest

from routekit import Letter, Store, Unavailable, UnknownName
from routekit.testing.remote import Knobs
from routekit_sync import Match, Rule
from routekit_sync.elsewhere import Elsewhere, find_elsewhere, forget_elsewhere
from routekit_sync.erasing import Held, Subject, erase, find, readmit
from routekit_sync.ledger import Ledger
from routekit_sync.testing import World, renamed

EMAIL = "Ada.Lovelace@example.org"
CANARIES = ("ada.lovelace", "555-2342", "babbage")


def world(**options: Any) -> World:
    """Two systems with the same three people; one of them is Ada, whom a conflict is about."""
    units = [
        renamed("email", "mail"),
        renamed("phone", "tel", rule=Rule.MANUAL),
        renamed("note", "text"),
    ]
    made = World(units, match=[Match("email", ["email"], ["mail"], key=_mail)], **options)
    made.a.user_create({"email": EMAIL, "phone": "555-2342", "note": "friend of Babbage"})
    made.a.user_create({"email": "bob@example.org", "phone": "1", "note": "knows ada.lovelace@example.org"})
    made.a.user_create({"email": "eve@example.org", "phone": "2", "note": "nobody"})
    made.wait(10.0)
    made.quiet()
    ada = next(own for own, record in made.a.records.items() if record.fields["email"] == EMAIL)
    there = next(own for own, record in made.b.records.items() if record.fields["mail"] == EMAIL)
    made.a.user_edit(ada, {"phone": "555-2342 or 1"})
    made.b.user_edit(there, {"tel": "555-2342 or 2"})
    made.wait(10.0)
    made.quiet()
    return made


def _mail(fields: Any) -> str | None:
    value = fields.get("email") or fields.get("mail")
    return value.casefold() if isinstance(value, str) else None


def ledger(made: World, store: Store, owner: str = "desk") -> Ledger:
    return Ledger(store.values("sync:people"), made.now, owner=owner)


def erased(made: World, *values: str) -> tuple[str, Held]:
    async def act(store: Store) -> tuple[str, Held]:
        return await erase(ledger(made, store), made.pair, Subject(values))

    return made.run(act)


def texts(made: World) -> str:
    """All that the store remembers of the pair, keys too."""

    async def read(store: Store) -> str:
        values = await store.values("sync:people").items(limit=10_000)
        return "\n".join(f"{key} {value.text}" for key, value in values).lower()

    return made.run(read)


def test_nothing_of_an_erased_person_is_remembered() -> None:
    """Neither a shadow nor a conflict, nor an id or a key of the index; what is known of others stays."""
    made = world()
    before = texts(made)
    assert all(one in before for one in CANARIES)
    ids = [link.a.id for link in made.links() if link.a and link.a.fields["email"] == EMAIL]
    _, held = erased(made, "ada.lovelace@EXAMPLE.org")
    after = texts(made)
    assert dict(held.counts) == {"links": 1, "conflicts": 1, "quarantine": 0, "mentions": 1}
    assert held.records("a") == ids
    assert "555-2342" not in after
    assert "babbage" not in after
    assert after.count("ada.lovelace") == before.count("knows ada.lovelace"), "what others have written stays"
    assert f"a/{ids[0]} " not in after
    assert {link.a.fields["email"] for link in made.links() if link.a} == {"bob@example.org", "eve@example.org"}


@pytest.mark.parametrize("way", ["a full comparison", "an edit", "a new record", "a late page"])
def test_an_erased_person_is_not_brought_back(way: str) -> None:
    """Whatever the systems report of it: it is not linked, not written, not remembered."""
    made = world()
    ada = next(own for own, record in made.a.records.items() if record.fields["email"] == EMAIL)
    erased(made, EMAIL)
    if way == "an edit":
        made.a.user_edit(ada, {"phone": "555-2342"})
    if way == "a new record":
        made.a.user_delete(ada)
        made.a.user_create({"email": EMAIL.upper(), "phone": "555-2342", "note": ""})
    made.wait(100_000.0)
    before = made.writes
    for _ in range(3):
        made.cycle(full=way != "a late page")
        made.wait(60.0)
    assert made.writes == before
    assert "555-2342" not in texts(made)
    assert len([link for link in made.links() if link.state != "dead"]) == 2


def test_an_erasure_that_was_taken_back_lets_it_in_again() -> None:
    """By its id, which says nothing of the person; both records are linked anew, without a double."""
    made = world()
    erasure, _ = erased(made, EMAIL)

    async def back(store: Store) -> int:
        return await readmit(ledger(made, store), made.pair, erasure)

    assert made.run(back) >= 3
    with pytest.raises(UnknownName, match="knows no erasure"):
        made.run(back)
    made.wait(100_000.0)
    made.cycle(full=True)
    made.quiet()
    assert len([link for link in made.links() if link.state == "linked"]) == 3
    assert (len(made.a.records), len(made.b.records)) == (3, 3)


def test_a_half_link_and_its_match_key_are_forgotten() -> None:
    """Of a record that has no counterpart yet, as nothing is created."""
    made = World([renamed("email", "mail")], match=[Match("email", ["email"], ["mail"], key=_mail)], creates="none")
    made.a.user_create({"email": EMAIL})
    made.wait(10.0)
    made.quiet()
    assert "key/" in texts(made)
    erased(made, EMAIL)
    assert "key/" not in texts(made)
    assert made.links() == []
    made.b.user_create({"mail": EMAIL})
    made.wait(100_000.0)
    made.cycle(full=True)
    assert made.links() == []


def test_a_record_is_named_by_its_id_too() -> None:
    """Where nobody knows what its fields say any more."""
    made = world()
    (own,) = [link.b.id for link in made.links() if link.b and link.b.fields["mail"] == EMAIL]
    _, held = erased(made, own)
    assert held.counts["links"] == 1


def test_what_is_found_can_be_given_out() -> None:
    """All of it, as data; what only mentions the person is not, as it is somebody else's."""
    made = world()

    async def read(store: Store) -> Held:
        return await find(ledger(made, store), made.pair, Subject([EMAIL]))

    document = made.run(read).document()
    assert [link["a"]["fields"]["note"] for link in document["links"]] == ["friend of Babbage"]
    assert len(document["conflicts"]) == 1
    assert "bob@" not in str(document)


def test_a_cycle_at_work_is_waited_for() -> None:
    """Nobody forgets under its hands what it is about to write."""
    made = world()

    async def act(store: Store) -> None:
        assert await ledger(made, store, "a cycle").acquire()
        with pytest.raises(Unavailable, match="another process works at the pair"):
            await erase(ledger(made, store), made.pair, Subject([EMAIL]))

    made.run(act)


def test_an_erasure_that_is_killed_is_finished_by_the_next() -> None:
    """What was forgotten is kept out at once; the rest is still found."""
    made = World([renamed("email", "mail"), renamed("note", "text")], a=Knobs(prefix="a"), b=Knobs(prefix="b"))
    for number in range(4):
        made.a.user_create({"email": EMAIL, "note": f"Babbage {number}"})
    made.wait(10.0)
    made.quiet()

    async def broken(store: Store) -> None:
        desk = ledger(made, store)
        write, count = desk.write, [0]

        async def failing(changes: Any) -> None:
            count[0] += 1
            if count[0] == 4:
                raise OSError("pulled the plug")
            await write(changes)

        desk.write = failing  # type: ignore[method-assign]
        with pytest.raises(OSError, match="plug"):
            await erase(desk, made.pair, Subject([EMAIL]))

    made.run(broken)
    left = [link for link in made.links() if link.state != "dead"]
    assert len(left) == 2
    made.wait(100_000.0)
    made.cycle(full=True)
    assert len([link for link in made.links() if link.state != "dead"]) == 2
    erased(made, EMAIL)
    assert "babbage" not in texts(made)


def test_the_rest_of_the_store_is_searched() -> None:
    """Dead letters, also of bytes, and traces are forgotten; groups stay and are told, as is what nobody can search."""
    made = world()

    def letter(own: str, body: Any, **more: Any) -> Letter:
        return Letter(own, own, "r", "s", "t", "p", "E", more.pop("reason", "no"), 1, made.now(), body, **more)

    async def act(store: Store) -> tuple[Elsewhere, list[str], Elsewhere]:
        await store.letters.add(letter("1", {"people": [{"mail": EMAIL}]}))
        await store.letters.add(letter("2", {"base64": b64encode(f"1;{EMAIL.upper()};x".encode()).decode()}))
        await store.letters.add(letter("3", {}, reason=f"'{EMAIL}' exists already"))
        await store.letters.add(letter("4", {"mail": "bob@example.org"}))
        await store.values("routekit.traces").put("m1|1|r", f'{{"note": "{EMAIL}"}}')
        await store.values("routekit.traces").put("m2|1|r", "{}")
        await store.values("own").put("k", EMAIL)
        await store.groups("month").add("k", "m1", f'{{"mail": "{EMAIL}"}}', owner=store.owner)
        await store.keys("seen").claim(EMAIL, owner="me", lease=60)
        found = await find_elsewhere(store, Subject([EMAIL]))
        await forget_elsewhere(store, found)
        left = [one.id for one in await store.letters.list()]
        left += [key for key, _ in await store.values("routekit.traces").items()]
        return found, left, await find_elsewhere(store, Subject([EMAIL]))

    found, left, again = made.run(act)
    assert sorted(found.letters) == ["1", "2", "3"]
    assert left == ["4", "m2|1|r"]
    assert found.others == {"groups month": 1, "values own": 1}
    assert found.unsearched["keys"] == 1
    assert (again.letters, again.traces) == ([], {})


def test_match_keys_are_hashed_by_a_secret_of_the_pair() -> None:
    """So that who has a list of addresses cannot try them on the index; a pair elsewhere has other hashes."""

    def index() -> set[str]:
        made = World([renamed("email", "mail")], match=[Match("email", ["email"], ["mail"], key=_mail)], creates="none")
        made.a.user_create({"email": EMAIL})
        made.wait(10.0)
        made.quiet()
        return {line.split()[0] for line in texts(made).splitlines() if line.startswith("key/")}

    first, second = index(), index()
    assert len(first) == len(second) == 1
    assert first != second
