"""What every store does: dead letters."""

from dataclasses import replace

import pytest

from ....errors import StoreError
from ....letter import Letter
from ....store import Store
from .bench import StoreCases


def letter(id: str, *, route: str = "orders", when: float = 1.0, body: object = None, reason: str = "no") -> Letter:
    """A letter of that id."""
    return Letter(
        id, f"m-{id}", route, "file:in", "to(sql:x)", "routes.py:3", "ValueError", reason, 2, when, body, {"h": 1}
    )


class LettersCases(StoreCases):
    """Letters come back whole, and are found."""

    async def test_a_letter_is_read_back(self, store: Store) -> None:
        """A letter comes back equal, and an unknown one is None."""
        await store.letters.add(letter("1", body={"n": [1, None, "x", 1.5, {"base64": "/w=="}]}))
        assert await store.letters.get("1") == letter("1", body={"n": [1, None, "x", 1.5, {"base64": "/w=="}]})
        assert await store.letters.get("2") is None

    async def test_a_letter_with_half_a_character_is_read_back(self, store: Store) -> None:
        """Text that no encoding can hold, such as a file's name that is no UTF-8, is no reason to lose a letter."""
        odd = replace(
            letter("1", body={"half": "\ud83d"}), headers={"file.name": "caf\udce9.csv"}, reason="no 'caf\udce9'"
        )
        await store.letters.add(odd)
        assert await store.letters.get("1") == odd
        assert list(await store.letters.list()) == [odd]

    async def test_a_letter_with_the_same_id_replaces(self, store: Store) -> None:
        """Adding a letter twice keeps one: the last."""
        await store.letters.add(letter("1", body="old"))
        await store.letters.add(letter("1", body="new"))
        assert await store.letters.count() == 1
        assert await store.letters.get("1") == letter("1", body="new")

    async def test_the_newest_letters_come_first(self, store: Store) -> None:
        """Letters are listed by time, newest first, of equal times the last added first, up to the limit."""
        for name, when in (("a", 2.0), ("b", 3.0), ("c", 1.0), ("d", 2.0)):
            await store.letters.add(letter(name, when=when))
        assert [found.id for found in await store.letters.list()] == ["b", "d", "a", "c"]
        assert [found.id for found in await store.letters.list(limit=2)] == ["b", "d"]
        assert list(await store.letters.list(limit=0)) == []

    async def test_letters_are_filtered_by_route(self, store: Store) -> None:
        """Listing and counting can be asked for one route."""
        for name, route in (("a", "x"), ("b", "y"), ("c", "x")):
            await store.letters.add(letter(name, route=route))
        assert [found.id for found in await store.letters.list(route="x")] == ["c", "a"]
        assert (await store.letters.count(), await store.letters.count(route="x")) == (3, 2)
        assert await store.letters.count(route="z") == 0

    async def test_a_removed_letter_is_gone(self, store: Store) -> None:
        """Removing tells whether there was such a letter."""
        await store.letters.add(letter("1"))
        assert await store.letters.remove("1") is True
        assert await store.letters.remove("1") is False
        assert await store.letters.get("1") is None

    async def test_a_kept_letter_cannot_be_changed_from_outside(self, store: Store) -> None:
        """Changing the body that was given, or the one that was got, does not change what is kept."""
        body = {"n": [1]}
        await store.letters.add(letter("1", body=body))
        body["n"].append(2)
        got = await store.letters.get("1")
        assert got is not None
        got.body["n"].append(3)
        assert await store.letters.get("1") == letter("1", body={"n": [1]})

    async def test_a_letter_that_is_no_json_is_refused(self, store: Store) -> None:
        """A body that cannot be kept is a StoreError that names the letter, and nothing is stored."""
        with pytest.raises(StoreError, match="letter 1 cannot be kept"):
            await store.letters.add(letter("1", body=object()))
        assert await store.letters.count() == 0

    async def test_letters_are_found_by_cluster_and_time(self, store: Store) -> None:
        """Listing can be asked for what is alike, for letters from a time on and before another, and oldest first."""
        for number, (reason, when) in enumerate((("no 1", 1.0), ("no 2", 2.0), ("other", 3.0), ("no 3", 4.0))):
            await store.letters.add(letter(str(number), reason=reason, when=when))
        cluster = letter("x", reason="no 17").cluster
        found = store.letters
        assert [one.id for one in await found.list(cluster=cluster)] == ["3", "1", "0"]
        assert [one.id for one in await found.list(cluster=cluster, oldest=True, limit=2)] == ["0", "1"]
        assert [one.id for one in await found.list(since=2.0, before=4.0)] == ["2", "1"]
        assert [one.id for one in await found.list(oldest=True, since=2.0)] == ["1", "2", "3"]
        assert (await found.count(cluster=cluster), await found.count(route="x", cluster=cluster)) == (3, 0)

    async def test_letters_of_one_time_come_oldest_first_as_they_were_added(self, store: Store) -> None:
        """So that they are replayed in the order in which their messages failed."""
        for known_as in ("b", "a", "c"):
            await store.letters.add(letter(known_as, when=1.0))
        assert [one.id for one in await store.letters.list(oldest=True)] == ["b", "a", "c"]

    async def test_clusters_count_what_is_alike(self, store: Store) -> None:
        """The largest first, of one size the one with the newest letter, with the first and the last time of each."""
        for number, (reason, when) in enumerate((("no 1", 1.0), ("bad", 9.0), ("no 2", 4.0), ("odd", 8.0))):
            await store.letters.add(letter(str(number), reason=reason, when=when))
        await store.letters.add(letter("4", route="other", reason="no 1", when=2.0))
        found = await store.letters.clusters(route="orders")
        assert [(one.text, one.count, one.first, one.last) for one in found] == [
            ("no *", 2, 1.0, 4.0),
            ("bad", 1, 9.0, 9.0),
            ("odd", 1, 8.0, 8.0),
        ]
        assert found[0].id == letter("x", reason="no 5").cluster
        assert (found[0].route, found[0].step, found[0].error) == ("orders", "to(sql:x)", "ValueError")
        assert len(await store.letters.clusters()) == 4

    async def test_prune_forgets_older_letters(self, store: Store) -> None:
        """Those given up before a time are forgotten, and counted."""
        for number in range(4):
            await store.letters.add(letter(str(number), when=float(number)))
        assert await store.letters.prune(before=2.0) == 2
        assert [one.id for one in await store.letters.list()] == ["3", "2"]
