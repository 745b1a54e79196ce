"""What every store does: the messages of durable routes."""

import pytest

from ....errors import StoreError
from ....store import Arrival, Store
from .bench import Clock, StoreCases


class JournalCases(StoreCases):
    """Messages are journaled, go on at their checkpoints, and are finished."""

    async def test_an_arrival_is_journaled_once(self, store: Store) -> None:
        """A message of an id that is not finished is told to be open, and changes nothing."""
        journal = store.journal("orders")
        assert await journal.add("m1", "one", owner=store.owner) is Arrival.NEW
        assert await journal.add("m1", "other", owner=store.owner) is Arrival.OPEN
        assert await journal.count() == 1
        (entry,) = await journal.take(owner=store.owner, limit=10)
        assert (entry.id, entry.message, entry.place) == ("m1", "one", "")

    async def test_a_finished_message_is_remembered(self, store: Store, clock: Clock) -> None:
        """Its id is told to be finished for as long as was asked, and is new afterwards, or at once if not asked."""
        journal = store.journal("orders")
        await journal.add("m1", "one", owner=store.owner)
        await journal.finish("m1", owner=store.owner, remember=60)
        assert await journal.count() == 0
        assert await journal.add("m1", "one", owner=store.owner) is Arrival.FINISHED
        clock.time += 60
        assert await journal.add("m1", "one", owner=store.owner) is Arrival.NEW
        await journal.finish("m1", owner=store.owner)
        assert await journal.add("m1", "one", owner=store.owner) is Arrival.NEW

    async def test_finishing_again_changes_nothing(self, store: Store) -> None:
        """Who was not told that it is finished may say so again; an unknown one is no error."""
        journal = store.journal("orders")
        await journal.add("m1", "one", owner=store.owner)
        await journal.finish("m1", owner=store.owner, remember=60)
        await journal.finish("m1", owner=store.owner)
        await journal.finish("m2", owner=store.owner)
        assert await journal.add("m1", "one", owner=store.owner) is Arrival.FINISHED

    async def test_a_checkpoint_takes_the_place_of_what_was_before(self, store: Store) -> None:
        """The message goes on as it was at its last checkpoint, and what was recorded before that is forgotten."""
        journal = store.journal("orders")
        await journal.add("m1", "one", owner=store.owner)
        await journal.record("m1", "to(crm)", "done", owner=store.owner)
        await journal.checkpoint("m1", "checkpoint 1", "two", owner=store.owner)
        assert dict(await journal.effects("m1")) == {}
        await journal.record("m1", "to(mail)", "sent", owner=store.owner)
        await journal.record("m1", "to(sms)", "no", owner=store.owner)
        await journal.record("m1", "to(sms)", "sent", owner=store.owner)
        assert dict(await journal.effects("m1")) == {"to(mail)": "sent", "to(sms)": "sent"}
        (entry,) = await journal.take(owner=store.owner, limit=10)
        assert (entry.message, entry.place) == ("two", "checkpoint 1")

    async def test_effects_end_with_their_message(self, store: Store) -> None:
        """A message that comes again after it was finished has no effects yet."""
        journal = store.journal("orders")
        await journal.add("m1", "one", owner=store.owner)
        await journal.record("m1", "to(crm)", "done", owner=store.owner)
        await journal.finish("m1", owner=store.owner)
        await journal.add("m1", "one", owner=store.owner)
        assert dict(await journal.effects("m1")) == {}
        assert dict(await journal.effects("unknown")) == {}

    async def test_what_is_unfinished_is_taken_in_pages_in_order(self, store: Store, clock: Clock) -> None:
        """Entries come oldest first, those after a number, and with the time of their arrival."""
        journal = store.journal("orders")
        for number in range(5):
            await journal.add(f"m{number}", f"text {number}", owner=store.owner)
            clock.time += 1
        await journal.finish("m1", owner=store.owner, remember=60)
        await store.journal("other").add("x", "x", owner=store.owner)
        first = await journal.take(owner=store.owner, limit=2)
        second = await journal.take(owner=store.owner, limit=10, after=first[-1].number)
        assert [entry.id for entry in first] == ["m0", "m2"]
        assert [entry.id for entry in second] == ["m3", "m4"]
        assert [entry.at for entry in (*first, *second)] == [clock.time - back for back in (5, 3, 2, 1)]
        assert list(await journal.take(owner=store.owner, limit=10, after=second[-1].number)) == []

    async def test_only_its_owner_writes_to_an_entry(self, store: Store) -> None:
        """Who has not added or taken the entry is refused, and changes nothing; so is one whom it was taken from."""
        journal = store.journal("orders")
        await journal.add("m1", "one", owner=store.owner)
        for owner in (f"{store.owner}/other", "stranger"):
            with pytest.raises(StoreError):
                await journal.record("m1", "e", "r", owner=owner)
            with pytest.raises(StoreError):
                await journal.checkpoint("m1", "place", "two", owner=owner)
            with pytest.raises(StoreError):
                await journal.finish("m1", owner=owner)
        (entry,) = await journal.take(owner=f"{store.owner}/other", limit=1)
        assert (entry.message, entry.place, dict(await journal.effects("m1"))) == ("one", "", {})
        with pytest.raises(StoreError):
            await journal.finish("m1", owner=store.owner)
        await journal.finish("m1", owner=f"{store.owner}/other")

    async def test_who_adopts_an_entry_has_it(self, store: Store) -> None:
        """It goes on with the effects it has, its former owner is refused, and what is finished or unknown stays so."""
        journal = store.journal("orders")
        await journal.add("m1", "one", owner=store.owner)
        await journal.record("m1", "e", "r", owner=store.owner)
        await journal.adopt("m1", owner=f"{store.owner}/other")
        with pytest.raises(StoreError):
            await journal.record("m1", "late", "", owner=store.owner)
        assert dict(await journal.effects("m1")) == {"e": "r"}
        await journal.finish("m1", owner=f"{store.owner}/other", remember=60)
        for known in ("m1", "never seen"):
            await journal.adopt(known, owner=store.owner)
        assert await journal.count() == 0
        assert await journal.add("m1", "one", owner=store.owner) is Arrival.FINISHED

    async def test_writing_to_what_is_not_there_is_refused(self, store: Store) -> None:
        """A finished or unknown message has no effects and no checkpoint: who writes one has lost it to another."""
        journal = store.journal("orders")
        await journal.add("m1", "one", owner=store.owner)
        await journal.finish("m1", owner=store.owner, remember=60)
        for known_as in ("m1", "m2"):
            with pytest.raises(StoreError, match=known_as):
                await journal.record(known_as, "e", "r", owner=store.owner)
            with pytest.raises(StoreError, match=known_as):
                await journal.checkpoint(known_as, "p", "m", owner=store.owner)

    async def test_prune_forgets_only_ids_that_are_old_enough(self, store: Store, clock: Clock) -> None:
        """Pruning leaves unfinished messages alone, and ids that are to be remembered for longer."""
        journal = store.journal("orders")
        for number, remember in enumerate((10.0, 100.0)):
            await journal.add(f"m{number}", "text", owner=store.owner)
            await journal.finish(f"m{number}", owner=store.owner, remember=remember)
        await journal.add("open", "text", owner=store.owner)
        assert await journal.prune(before=clock.time + 9) == 0
        assert await journal.prune(before=clock.time + 10) == 1
        assert await journal.add("m0", "text", owner=store.owner) is Arrival.NEW
        assert await journal.add("m1", "text", owner=store.owner) is Arrival.FINISHED
        assert await journal.count() == 2
