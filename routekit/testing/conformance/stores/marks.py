"""What every store does: small texts by key."""

from ....store import Store
from .bench import StoreCases


class MarksCases(StoreCases):
    """Marks are written, listed and forgotten."""

    async def test_a_mark_is_read_back(self, store: Store) -> None:
        """What was put is got, the last value counts, and what was never put is None."""
        marks = store.marks("cursor")
        assert await marks.get("at") is None
        await marks.put("at", "1")
        await marks.put("at", "2\n\N{SNOWMAN}")
        assert await marks.get("at") == "2\n\N{SNOWMAN}"

    async def test_a_deleted_mark_is_gone(self, store: Store) -> None:
        """A deleted mark is None, and deleting it again is no error."""
        marks = store.marks("cursor")
        await marks.put("at", "1")
        await marks.delete("at")
        await marks.delete("at")
        assert await marks.get("at") is None

    async def test_marks_are_listed_by_key(self, store: Store) -> None:
        """Items come sorted by key, and only those of their name."""
        marks = store.marks("files")
        for key in ("b", "Z", "\U0001f600", "\uffee", "a"):
            await marks.put(key, key.upper())
        await store.marks("other").put("x", "x")
        assert list(await marks.items()) == sorted(
            (key, key.upper()) for key in ("b", "Z", "\U0001f600", "\uffee", "a")
        )
