"""What every store does: the values that users keep."""

import anyio

from ....store import Store, Value, ValueChange
from .bench import Clock, StoreCases


class ValuesCases(StoreCases):
    """Values are written by version, listed and forgotten."""

    async def test_a_value_is_read_back_with_its_version(self, store: Store, clock: Clock) -> None:
        """Each writing counts one version further, from 1; what was never written is None."""
        values = store.values("totals")
        assert await values.get("ann") is None
        assert await values.put("ann", "1") == Value("1", 1, clock.time)
        clock.time += 5
        assert await values.put("ann", "2\n\N{SNOWMAN}") == Value("2\n\N{SNOWMAN}", 2, clock.time)
        assert await values.get("ann") == Value("2\n\N{SNOWMAN}", 2, clock.time)
        assert await store.values("other").get("ann") is None

    async def test_a_writing_to_another_version_is_refused(self, store: Store) -> None:
        """With a version only who knows the current one writes; 0 is that of a value that is not there."""
        values = store.values("totals")
        assert await values.put("ann", "x", version=1) is None
        assert await values.put("ann", "one", version=0) is not None
        assert await values.put("ann", "x", version=0) is None
        assert await values.put("ann", "two", version=1) is not None
        assert await values.put("ann", "x", version=1) is None
        found = await values.get("ann")
        assert found is not None
        assert (found.text, found.version) == ("two", 2)

    async def test_of_many_who_count_none_is_lost(self, store: Store) -> None:
        """Eight who read, add one and write by version, and try again when refused, come to eight."""
        values = store.values("totals")

        async def count() -> None:
            while True:
                found = await values.get("n")
                text, version = ("0", 0) if found is None else (found.text, found.version)
                if await values.put("n", str(int(text) + 1), version=version) is not None:
                    return

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(count)
        found = await values.get("n")
        assert found is not None
        assert (found.text, found.version) == ("8", 8)

    async def test_a_deleted_value_is_gone(self, store: Store) -> None:
        """Deleting tells whether there was one, of that version; the next writing is version 1 again."""
        values = store.values("totals")
        await values.put("ann", "1")
        assert await values.delete("ann", version=2) is False
        assert await values.delete("ann", version=1) is True
        assert await values.delete("ann") is False
        assert await values.get("ann") is None
        again = await values.put("ann", "1", version=0)
        assert again is not None
        assert again.version == 1

    async def test_a_value_is_forgotten_at_its_time(self, store: Store, clock: Clock) -> None:
        """After its `until` it is as if it had never been written; a later writing says anew until when."""
        values = store.values("totals")
        await values.put("ann", "1", until=clock.time + 10)
        await values.put("bob", "1", until=clock.time + 10)
        await values.put("bob", "2")
        clock.time += 9.5
        assert await values.get("ann") is not None
        clock.time += 0.5
        assert await values.get("ann") is None
        assert [key for key, _ in await values.items()] == ["bob"]
        assert await values.delete("ann") is False
        assert await values.put("ann", "new", version=0) == Value("new", 1, clock.time)

    async def test_values_are_listed_in_pages_by_key(self, store: Store) -> None:
        """Items come sorted by key, those above a key, and only those of their name."""
        values = store.values("totals")
        keys = ("b", "Z", "\U0001f600", "\uffee", "a", "é")
        for key in keys:
            await values.put(key, key.upper())
        await store.values("other").put("x", "x")
        first = await values.items(limit=2)
        rest = await values.items(after=first[-1][0])
        found = [(key, value.text) for key, value in (*first, *rest)]
        assert found == sorted((key, key.upper()) for key in keys)
        assert list(await values.items(after="\U0001f600")) == []

    async def test_many_values_are_read_at_once(self, store: Store) -> None:
        """Of the keys asked for, those that have a value come; more of them than a statement usually takes."""
        values = store.values("totals")
        await values.write([ValueChange(f"k{number}", str(number)) for number in range(1200)])
        found = await values.many([*(f"k{number}" for number in range(0, 1200, 2)), "none", "\N{SNOWMAN}"])
        assert {key: value.text for key, value in found.items()} == {f"k{n}": str(n) for n in range(0, 1200, 2)}
        assert await values.many([]) == {}
        assert await store.values("other").many(["k1"]) == {}

    async def test_changes_are_made_together(self, store: Store, clock: Clock) -> None:
        """Writes and deletions happen all at once, each counting its value one version further."""
        values = store.values("totals")
        await values.put("a", "1")
        await values.put("b", "1")
        changes = [ValueChange("a", "2", version=1), ValueChange("b", None), ValueChange("c", "1", version=0)]
        assert await values.write(changes) is True
        assert {key: (value.text, value.version) for key, value in await values.items()} == {
            "a": ("2", 2),
            "c": ("1", 1),
        }
        assert await values.write([ValueChange("b", None), ValueChange("d", "x", until=clock.time + 5)]) is True
        clock.time += 5
        assert sorted(await values.many(["a", "b", "c", "d"])) == ["a", "c"]

    async def test_one_version_that_does_not_fit_stops_all_changes(self, store: Store) -> None:
        """If one key has another version than the change names, nothing is written and nothing deleted."""
        values = store.values("totals")
        await values.put("a", "1")
        await values.put("b", "1")
        for wrong in (
            ValueChange("b", "2", version=2),
            ValueChange("b", "2", version=0),
            ValueChange("b", None, version=2),
            ValueChange("b", None, version=0),
            ValueChange("new", "2", version=1),
            ValueChange("new", None, version=1),
        ):
            assert await values.write([ValueChange("a", "2"), wrong, ValueChange("z", "2")]) is False
        assert [(key, value.text) for key, value in await values.items()] == [("a", "1"), ("b", "1")]

    async def test_changes_may_rest_on_what_they_do_not_change(self, store: Store) -> None:
        """They are made only while the keys that are given have their versions; 0 is a key that is not there."""
        values = store.values("totals")
        await values.put("lease", "me")
        assert await values.write([ValueChange("a", "1")], given={"lease": 1, "stop": 0}) is True
        await values.put("lease", "you")
        assert await values.write([ValueChange("a", "2")], given={"lease": 1}) is False
        assert await values.write([ValueChange("a", "2")], given={"lease": 2, "stop": 1}) is False
        assert await values.write([ValueChange("a", "2")], given={"a": 1, "lease": 2}) is True
        found = await values.many(["a", "lease"])
        assert [(found[key].text, found[key].version) for key in ("a", "lease")] == [("2", 2), ("you", 2)]

    async def test_of_many_who_write_together_none_is_lost(self, store: Store) -> None:
        """Eight who move one from a to b, and try again when refused, have moved eight: never is one in both."""
        values = store.values("totals")
        await values.write([ValueChange("a", "8"), ValueChange("b", "0")])

        async def move() -> None:
            while True:
                found = await values.many(["a", "b"])
                a, b = found["a"], found["b"]
                changes = [
                    ValueChange("a", str(int(a.text) - 1), version=a.version),
                    ValueChange("b", str(int(b.text) + 1), version=b.version),
                ]
                if await values.write(changes):
                    return

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(move)
        assert [value.text for _, value in await values.items()] == ["0", "8"]
