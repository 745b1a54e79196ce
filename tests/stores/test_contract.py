"""What every store does: the same tests for all of them."""

from dataclasses import replace

import anyio
import pytest

from routekit import Adding, Claim, Letter, Store, StoreError

pytestmark = pytest.mark.anyio


def letter(id: str, *, route: str = "orders", when: float = 1.0, body: object = None) -> Letter:
    return Letter(
        id, f"m-{id}", route, "file:in", "to(sql:x)", "routes.py:3", "ValueError", "no", 2, when, body, {"h": 1}
    )


async def test_a_new_key_is_claimed(store: Store):
    """The first claim of a key is granted."""
    assert await store.keys("seen").claim("a", owner="me", lease=10) is Claim.MINE


async def test_a_held_key_is_refused_to_others(store: Store):
    """Nobody else gets a key before its lease has run out."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    assert await keys.claim("a", owner="you", lease=10) is Claim.HELD


async def test_an_owner_may_claim_again(store: Store, clock):
    """Claiming one's own key is granted, and the lease counts from then."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    clock.time += 9
    assert await keys.claim("a", owner="me", lease=10) is Claim.MINE
    clock.time += 9
    assert await keys.claim("a", owner="you", lease=10) is Claim.HELD


async def test_an_expired_lease_is_anyones(store: Store, clock):
    """A key whose lease has run out can be claimed by another owner."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    clock.time += 10
    assert await keys.claim("a", owner="you", lease=10) is Claim.MINE


async def test_a_completed_key_stays_done(store: Store, clock):
    """A completed key is done for its owner and for others, for good."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    await keys.complete("a", owner="me")
    clock.time += 1_000_000
    assert await keys.claim("a", owner="me", lease=10) is Claim.DONE
    assert await keys.claim("a", owner="you", lease=10) is Claim.DONE


async def test_completing_anothers_key_changes_nothing(store: Store, clock):
    """Only the owner completes a key."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    await keys.complete("a", owner="you")
    clock.time += 10
    assert await keys.claim("a", owner="you", lease=10) is Claim.MINE


async def test_an_owner_who_lost_its_lease_cannot_complete(store: Store, clock):
    """When another owner has taken over an expired key, the late one's complete and release change nothing."""
    keys = store.keys("seen")
    await keys.claim("a", owner="late", lease=10)
    clock.time += 10
    await keys.claim("a", owner="me", lease=10)
    await keys.complete("a", owner="late")
    await keys.release("a", owner="late")
    assert await keys.claim("a", owner="you", lease=10) is Claim.HELD


async def test_completing_an_unclaimed_key_changes_nothing(store: Store):
    """A key that nobody claimed is not done."""
    keys = store.keys("seen")
    await keys.complete("a", owner="me")
    assert await keys.claim("a", owner="you", lease=10) is Claim.MINE


async def test_a_released_key_is_free(store: Store):
    """After a release another owner gets the key at once."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    await keys.release("a", owner="me")
    assert await keys.claim("a", owner="you", lease=10) is Claim.MINE


async def test_a_done_key_cannot_be_released(store: Store):
    """A release after complete forgets nothing."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    await keys.complete("a", owner="me")
    await keys.release("a", owner="me")
    assert await keys.claim("a", owner="me", lease=10) is Claim.DONE


async def test_names_have_keys_of_their_own(store: Store):
    """The same key under another name is another key."""
    await store.keys("one").claim("a", owner="me", lease=10)
    assert await store.keys("two").claim("a", owner="you", lease=10) is Claim.MINE


async def test_the_same_name_is_the_same_state(store: Store):
    """State is found by its name, not by the object that was handed out."""
    await store.keys("one").claim("a", owner="me", lease=10)
    await store.marks("one").put("a", "1")
    assert await store.keys("one").claim("a", owner="you", lease=10) is Claim.HELD
    assert await store.marks("one").get("a") == "1"


async def test_one_of_many_claims_wins(store: Store):
    """Of fifty owners who claim a key at once, exactly one gets it."""
    claims: list[Claim] = []

    async def claim(owner: str) -> None:
        claims.append(await store.keys("seen").claim("a", owner=owner, lease=10))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(claim, f"owner-{number}")
    assert sorted(claim.name for claim in claims) == ["HELD"] * 49 + ["MINE"]


async def test_prune_forgets_only_old_done_keys(store: Store, clock):
    """Pruning forgets keys that were done before a time, and neither newer ones nor claims."""
    keys = store.keys("seen")
    for key in ("old", "new"):
        await keys.claim(key, owner="me", lease=1000)
        await keys.complete(key, owner="me")
        clock.time += 100
    await keys.claim("held", owner="me", lease=1000)
    assert await keys.prune(before=clock.time - 100) == 1
    assert await keys.claim("old", owner="you", lease=1) is Claim.MINE
    assert await keys.claim("new", owner="you", lease=1) is Claim.DONE
    assert await keys.claim("held", owner="you", lease=1) is Claim.HELD


async def test_completing_again_does_not_make_a_key_newer(store: Store, clock):
    """A key counts as done since it was done first, so that pruning forgets it in time."""
    keys = store.keys("seen")
    await keys.claim("a", owner="me", lease=10)
    await keys.complete("a", owner="me")
    clock.time += 100
    await keys.complete("a", owner="me")
    assert await keys.prune(before=clock.time) == 1


async def test_a_mark_is_read_back(store: Store):
    """What was put is got, the last value counts, and what was never put is None."""
    marks = store.marks("cursor")
    assert await marks.get("at") is None
    await marks.put("at", "1")
    await marks.put("at", "2\n\N{SNOWMAN}")
    assert await marks.get("at") == "2\n\N{SNOWMAN}"


async def test_a_deleted_mark_is_gone(store: Store):
    """A deleted mark is None, and deleting it again is no error."""
    marks = store.marks("cursor")
    await marks.put("at", "1")
    await marks.delete("at")
    await marks.delete("at")
    assert await marks.get("at") is None


async def test_marks_are_listed_by_key(store: Store):
    """Items come sorted by key, and only those of their name."""
    marks = store.marks("files")
    for key in ("b", "Z", "\U0001f600", "\uffee", "a"):
        await marks.put(key, key.upper())
    await store.marks("other").put("x", "x")
    assert list(await marks.items()) == sorted((key, key.upper()) for key in ("b", "Z", "\U0001f600", "\uffee", "a"))


async def test_a_letter_is_read_back(store: Store):
    """A letter comes back equal, and an unknown one is None."""
    await store.letters.add(letter("1", body={"n": [1, None, "x", 1.5, {"base64": "/w=="}]}))
    assert await store.letters.get("1") == letter("1", body={"n": [1, None, "x", 1.5, {"base64": "/w=="}]})
    assert await store.letters.get("2") is None


async def test_a_letter_with_half_a_character_is_read_back(store: Store):
    """Text that no encoding can hold, such as the name of a file that is no UTF-8, is no reason to lose a letter."""
    odd = replace(letter("1", body={"half": "\ud83d"}), headers={"file.name": "caf\udce9.csv"}, reason="no 'caf\udce9'")
    await store.letters.add(odd)
    assert await store.letters.get("1") == odd
    assert list(await store.letters.list()) == [odd]


async def test_a_letter_with_the_same_id_replaces(store: Store):
    """Adding a letter twice keeps one: the last."""
    await store.letters.add(letter("1", body="old"))
    await store.letters.add(letter("1", body="new"))
    assert await store.letters.count() == 1
    assert await store.letters.get("1") == letter("1", body="new")


async def test_the_newest_letters_come_first(store: Store):
    """Letters are listed by time, newest first, of equal times the last added first, up to the limit."""
    for name, when in (("a", 2.0), ("b", 3.0), ("c", 1.0), ("d", 2.0)):
        await store.letters.add(letter(name, when=when))
    assert [found.id for found in await store.letters.list()] == ["b", "d", "a", "c"]
    assert [found.id for found in await store.letters.list(limit=2)] == ["b", "d"]
    assert list(await store.letters.list(limit=0)) == []


async def test_letters_are_filtered_by_route(store: Store):
    """Listing and counting can be asked for one route."""
    for name, route in (("a", "x"), ("b", "y"), ("c", "x")):
        await store.letters.add(letter(name, route=route))
    assert [found.id for found in await store.letters.list(route="x")] == ["c", "a"]
    assert (await store.letters.count(), await store.letters.count(route="x")) == (3, 2)
    assert await store.letters.count(route="z") == 0


async def test_a_removed_letter_is_gone(store: Store):
    """Removing tells whether there was such a letter."""
    await store.letters.add(letter("1"))
    assert await store.letters.remove("1") is True
    assert await store.letters.remove("1") is False
    assert await store.letters.get("1") is None


async def test_a_kept_letter_cannot_be_changed_from_outside(store: Store):
    """Changing the body that was given, or the one that was got, does not change what is kept."""
    body = {"n": [1]}
    await store.letters.add(letter("1", body=body))
    body["n"].append(2)
    got = await store.letters.get("1")
    assert got is not None
    got.body["n"].append(3)
    assert await store.letters.get("1") == letter("1", body={"n": [1]})


async def test_a_letter_that_is_no_json_is_refused(store: Store):
    """A body that cannot be kept is a StoreError that names the letter, and nothing is stored."""
    with pytest.raises(StoreError, match="letter 1 cannot be kept"):
        await store.letters.add(letter("1", body=object()))
    assert await store.letters.count() == 0


async def test_messages_of_a_key_are_kept_together_in_order(store: Store):
    """A group grows by the messages of its key, and gives them back as they came."""
    groups = store.groups("orders")
    assert (await groups.add("ann", "m1", "one", owner="me"))[0] is Adding.NEW
    await groups.add("bob", "m2", "two", owner="me")
    added, group = await groups.add("ann", "m3", "three", owner="me")
    assert (added, group.key, group.size, group.closed) == (Adding.NEW, "ann", 2, False)
    assert list(await groups.messages(group.number)) == ["one", "three"]
    assert [one.key for one in await groups.all()] == ["ann", "bob"]
    assert list(await store.groups("other").all()) == []


async def test_a_message_is_kept_once(store: Store, clock):
    """Its id is known while its group is open, while it is released, and for as long as it is remembered then."""
    groups = store.groups("orders")
    _, group = await groups.add("ann", "m1", "one", owner="me")
    assert (await groups.add("ann", "m1", "one", owner="me"))[0] is Adding.AGAIN
    assert await groups.close(group.number, owner="me")
    assert (await groups.add("ann", "m1", "one", owner="me"))[0] is Adding.CLOSED
    await groups.remove(group.number, remember=60)
    assert (await groups.add("ann", "m1", "one", owner="me"))[0] is Adding.RELEASED
    assert list(await groups.all()) == []
    clock.time += 60
    assert (await groups.add("ann", "m1", "one", owner="me"))[0] is Adding.NEW


async def test_a_closed_group_takes_no_more(store: Store):
    """The next message of the key opens another group, unless none is wanted."""
    groups = store.groups("orders")
    _, first = await groups.add("ann", "m1", "one", owner="me")
    await groups.close(first.number, owner="me")
    assert (await groups.add("ann", "m2", "two", owner="me", reopen=False))[0] is Adding.LATE
    added, second = await groups.add("ann", "m2", "two", owner="me")
    assert (added, second.size) == (Adding.NEW, 1)
    assert second.number > first.number
    assert list(await groups.messages(first.number)) == ["one"]


async def test_a_remembered_key_is_closed_until_it_is_forgotten(store: Store, clock):
    """A late message finds its key closed for as long as it was asked for."""
    groups = store.groups("orders")
    _, group = await groups.add("ann", "m1", "one", owner="me")
    await groups.close(group.number, owner="me")
    await groups.remove(group.number, remember=60)
    clock.time += 59
    assert (await groups.add("ann", "m2", "two", owner="me", reopen=False))[0] is Adding.LATE
    clock.time += 1
    assert (await groups.add("ann", "m2", "two", owner="me", reopen=False))[0] is Adding.NEW


async def test_a_group_is_released_by_one(store: Store):
    """Who closed it may close it again, after a crash; nobody else may, and nobody once it is gone."""
    groups = store.groups("orders")
    _, group = await groups.add("ann", "m1", "one", owner="me")
    assert await groups.close(group.number, owner="me")
    assert await groups.close(group.number, owner="me")
    assert not await groups.close(group.number, owner="you")
    (kept,) = await groups.all()
    assert (kept.closed, kept.owner) == (True, "me")
    await groups.remove(group.number)
    assert not await groups.close(group.number, owner="me")
    await groups.remove(group.number)


async def test_a_group_may_keep_the_latest_only(store: Store):
    """With `latest` each message takes the place of those before it; all are counted."""
    groups = store.groups("search")
    await groups.add("ann", "m1", "a", owner="me", latest=True)
    _, group = await groups.add("ann", "m2", "ab", owner="me", latest=True)
    assert list(await groups.messages(group.number)) == ["ab"]
    assert group.size == 2


async def test_a_full_group_is_closed_with_its_last_message(store: Store):
    """The message that makes it full closes it for its owner; no other can slip in."""
    groups = store.groups("orders")
    _, open_ = await groups.add("ann", "m1", "one", owner="me", full=2)
    assert not open_.closed
    added, full = await groups.add("ann", "m2", "two", owner="me", full=2)
    assert (added, full.closed, full.owner, full.size) == (Adding.NEW, True, "me", 2)
    assert (await groups.add("ann", "m3", "three", owner="me", full=2))[1].number > full.number
    assert (await groups.add("bob", "m4", "four", owner="me", full=1))[1].closed
