"""What every store does: messages that wait to go on together."""

from ....store import Adding, Store
from .bench import Clock, StoreCases


class GroupsCases(StoreCases):
    """Groups are filled, closed, released and remembered."""

    async def test_messages_of_a_key_are_kept_together_in_order(self, store: Store) -> None:
        """A group grows by the messages of its key, and gives them back as they came."""
        groups = store.groups("orders")
        assert (await groups.add("ann", "m1", "one", owner="me"))[0] is Adding.NEW
        await groups.add("bob", "m2", "two", owner="me")
        added, group = await groups.add("ann", "m3", "three", owner="me")
        assert (added, group.key, group.size, group.closed) == (Adding.NEW, "ann", 2, False)
        assert list(await groups.messages(group.number)) == ["one", "three"]
        assert [one.key for one in await groups.all()] == ["ann", "bob"]
        assert list(await store.groups("other").all()) == []

    async def test_a_message_is_kept_once(self, store: Store, clock: Clock) -> None:
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

    async def test_a_closed_group_takes_no_more(self, store: Store) -> None:
        """The next message of the key opens another group, unless none is wanted."""
        groups = store.groups("orders")
        _, first = await groups.add("ann", "m1", "one", owner="me")
        await groups.close(first.number, owner="me")
        assert (await groups.add("ann", "m2", "two", owner="me", reopen=False))[0] is Adding.LATE
        added, second = await groups.add("ann", "m2", "two", owner="me")
        assert (added, second.size) == (Adding.NEW, 1)
        assert second.number > first.number
        assert list(await groups.messages(first.number)) == ["one"]

    async def test_a_remembered_key_is_closed_until_it_is_forgotten(self, store: Store, clock: Clock) -> None:
        """A late message finds its key closed for as long as it was asked for."""
        groups = store.groups("orders")
        _, group = await groups.add("ann", "m1", "one", owner="me")
        await groups.close(group.number, owner="me")
        await groups.remove(group.number, remember=60)
        clock.time += 59
        assert (await groups.add("ann", "m2", "two", owner="me", reopen=False))[0] is Adding.LATE
        clock.time += 1
        assert (await groups.add("ann", "m2", "two", owner="me", reopen=False))[0] is Adding.NEW

    async def test_a_group_is_released_by_one(self, store: Store) -> None:
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

    async def test_a_group_may_keep_the_latest_only(self, store: Store) -> None:
        """With `latest` each message takes the place of those before it; all are counted."""
        groups = store.groups("search")
        await groups.add("ann", "m1", "a", owner="me", latest=True)
        _, group = await groups.add("ann", "m2", "ab", owner="me", latest=True)
        assert list(await groups.messages(group.number)) == ["ab"]
        assert group.size == 2

    async def test_a_full_group_is_closed_with_its_last_message(self, store: Store) -> None:
        """The message that makes it full closes it for its owner; no other can slip in."""
        groups = store.groups("orders")
        _, open_ = await groups.add("ann", "m1", "one", owner="me", full=2)
        assert not open_.closed
        added, full = await groups.add("ann", "m2", "two", owner="me", full=2)
        assert (added, full.closed, full.owner, full.size) == (Adding.NEW, True, "me", 2)
        assert (await groups.add("ann", "m3", "three", owner="me", full=2))[1].number > full.number
        assert (await groups.add("bob", "m4", "four", owner="me", full=1))[1].closed
