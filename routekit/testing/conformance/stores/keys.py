"""What every store does: keys that were seen."""

import anyio

from ....store import Claim, Store
from .bench import Clock, StoreCases


class KeysCases(StoreCases):
    """Claims, and keys that are done."""

    async def test_a_new_key_is_claimed(self, store: Store) -> None:
        """The first claim of a key is granted."""
        assert await store.keys("seen").claim("a", owner="me", lease=10) is Claim.MINE

    async def test_a_held_key_is_refused_to_others(self, store: Store) -> None:
        """Nobody else gets a key before its lease has run out."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        assert await keys.claim("a", owner="you", lease=10) is Claim.HELD

    async def test_an_owner_may_claim_again(self, store: Store, clock: Clock) -> None:
        """Claiming one's own key is granted, and the lease counts from then."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        clock.time += 9
        assert await keys.claim("a", owner="me", lease=10) is Claim.MINE
        clock.time += 9
        assert await keys.claim("a", owner="you", lease=10) is Claim.HELD

    async def test_an_expired_lease_is_anyones(self, store: Store, clock: Clock) -> None:
        """A key whose lease has run out can be claimed by another owner."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        clock.time += 10
        assert await keys.claim("a", owner="you", lease=10) is Claim.MINE

    async def test_a_completed_key_stays_done(self, store: Store, clock: Clock) -> None:
        """A completed key is done for its owner and for others, for good."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        await keys.complete("a", owner="me")
        clock.time += 1_000_000
        assert await keys.claim("a", owner="me", lease=10) is Claim.DONE
        assert await keys.claim("a", owner="you", lease=10) is Claim.DONE

    async def test_completing_anothers_key_changes_nothing(self, store: Store, clock: Clock) -> None:
        """Only the owner completes a key."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        await keys.complete("a", owner="you")
        clock.time += 10
        assert await keys.claim("a", owner="you", lease=10) is Claim.MINE

    async def test_an_owner_who_lost_its_lease_cannot_complete(self, store: Store, clock: Clock) -> None:
        """When another owner has taken over an expired key, the late one's complete and release change nothing."""
        keys = store.keys("seen")
        await keys.claim("a", owner="late", lease=10)
        clock.time += 10
        await keys.claim("a", owner="me", lease=10)
        await keys.complete("a", owner="late")
        await keys.release("a", owner="late")
        assert await keys.claim("a", owner="you", lease=10) is Claim.HELD

    async def test_completing_an_unclaimed_key_changes_nothing(self, store: Store) -> None:
        """A key that nobody claimed is not done."""
        keys = store.keys("seen")
        await keys.complete("a", owner="me")
        assert await keys.claim("a", owner="you", lease=10) is Claim.MINE

    async def test_a_released_key_is_free(self, store: Store) -> None:
        """After a release another owner gets the key at once."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        await keys.release("a", owner="me")
        assert await keys.claim("a", owner="you", lease=10) is Claim.MINE

    async def test_a_done_key_cannot_be_released(self, store: Store) -> None:
        """A release after complete forgets nothing."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        await keys.complete("a", owner="me")
        await keys.release("a", owner="me")
        assert await keys.claim("a", owner="me", lease=10) is Claim.DONE

    async def test_names_have_keys_of_their_own(self, store: Store) -> None:
        """The same key under another name is another key."""
        await store.keys("one").claim("a", owner="me", lease=10)
        assert await store.keys("two").claim("a", owner="you", lease=10) is Claim.MINE

    async def test_the_same_name_is_the_same_state(self, store: Store) -> None:
        """State is found by its name, not by the object that was handed out."""
        await store.keys("one").claim("a", owner="me", lease=10)
        await store.marks("one").put("a", "1")
        assert await store.keys("one").claim("a", owner="you", lease=10) is Claim.HELD
        assert await store.marks("one").get("a") == "1"

    async def test_one_of_many_claims_wins(self, store: Store) -> None:
        """Of fifty owners who claim a key at once, exactly one gets it."""
        claims: list[Claim] = []

        async def claim(owner: str) -> None:
            claims.append(await store.keys("seen").claim("a", owner=owner, lease=10))

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(claim, f"owner-{number}")
        assert sorted(claim.name for claim in claims) == ["HELD"] * 49 + ["MINE"]

    async def test_prune_forgets_only_old_done_keys(self, store: Store, clock: Clock) -> None:
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

    async def test_completing_again_does_not_make_a_key_newer(self, store: Store, clock: Clock) -> None:
        """A key counts as done since it was done first, so that pruning forgets it in time."""
        keys = store.keys("seen")
        await keys.claim("a", owner="me", lease=10)
        await keys.complete("a", owner="me")
        clock.time += 100
        await keys.complete("a", owner="me")
        assert await keys.prune(before=clock.time) == 1
