"""What every store does: messages that are still to be sent."""

from ....store import Store
from .bench import Clock, StoreCases


class OutboxCases(StoreCases):
    """Messages are put in, taken, sent and given back."""

    async def test_messages_are_taken_in_order(self, store: Store, clock: Clock) -> None:
        """They come as they were put in, up to the limit, and stay until they are sent."""
        outbox = store.outbox("mails")
        await outbox.add([("a", "one"), ("b", "two")])
        await outbox.add([("c", "three")])
        await store.outbox("other").add([("x", "x")])
        first = await outbox.take(owner="me", lease=10, limit=2)
        assert [(parcel.id, parcel.message, parcel.at) for parcel in first] == [
            ("a", "one", clock.time),
            ("b", "two", clock.time),
        ]
        assert first[0].number < first[1].number
        assert await outbox.count() == 3
        await outbox.sent([parcel.number for parcel in first], owner="me")
        assert await outbox.count() == 1
        assert [parcel.id for parcel in await outbox.take(owner="me", lease=10, limit=10)] == ["c"]

    async def test_a_message_is_put_in_once(self, store: Store) -> None:
        """One whose id is there is left out, also within one call; once it is sent, it may come again."""
        outbox = store.outbox("mails")
        await outbox.add([("a", "one"), ("a", "other")])
        await outbox.add([("b", "two"), ("a", "other")])
        taken = await outbox.take(owner="me", lease=10, limit=10)
        assert [(parcel.id, parcel.message) for parcel in taken] == [("a", "one"), ("b", "two")]
        await outbox.sent([taken[0].number], owner="me")
        await outbox.add([("a", "again")])
        assert [parcel.message for parcel in await outbox.take(owner="me", lease=10, limit=10)] == ["two", "again"]

    async def test_what_is_taken_is_left_out_for_others(self, store: Store, clock: Clock) -> None:
        """Until the lease has run out nobody else gets it; its owner may take it again."""
        outbox = store.outbox("mails")
        await outbox.add([("a", "one"), ("b", "two"), ("c", "three")])
        await outbox.take(owner="me", lease=10, limit=2)
        assert [parcel.id for parcel in await outbox.take(owner="you", lease=100, limit=10)] == ["c"]
        assert [parcel.id for parcel in await outbox.take(owner="me", lease=10, limit=10)] == ["a", "b"]
        clock.time += 10
        assert [parcel.id for parcel in await outbox.take(owner="you", lease=10, limit=10)] == ["a", "b", "c"]

    async def test_what_is_given_back_is_free_at_once(self, store: Store) -> None:
        """It keeps its place."""
        outbox = store.outbox("mails")
        await outbox.add([("a", "one"), ("b", "two")])
        taken = await outbox.take(owner="me", lease=10, limit=10)
        await outbox.back([taken[0].number], owner="me")
        assert [parcel.id for parcel in await outbox.take(owner="you", lease=10, limit=10)] == ["a"]

    async def test_who_lost_a_message_cannot_send_it_off(self, store: Store, clock: Clock) -> None:
        """After its lease has run out and another has taken it, neither `sent` nor `back` changes anything."""
        outbox = store.outbox("mails")
        await outbox.add([("a", "one")])
        (late,) = await outbox.take(owner="late", lease=10, limit=1)
        clock.time += 10
        await outbox.take(owner="me", lease=10, limit=1)
        await outbox.sent([late.number], owner="late")
        await outbox.back([late.number], owner="late")
        assert await outbox.count() == 1
        assert list(await outbox.take(owner="you", lease=10, limit=1)) == []
