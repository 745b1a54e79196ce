"""What every store does for those who run it: what was done to it, what it holds, what is given back."""

from ....store import Deed, Store
from .bench import Clock, StoreCases
from .letters import letter


class OperatingCases(StoreCases):
    """The audit, the contents, and unused space."""

    async def test_deeds_are_listed_newest_first(self, store: Store) -> None:
        """By time, of one time the last added first, from a time on, up to a limit."""
        deeds = [
            Deed(when, "ann", "letters.discard", what, "a test\N{SNOWMAN}")
            for when, what in ((2.0, "a"), (3.0, "b"), (1.0, "c"), (2.0, "d"))
        ]
        for deed in deeds:
            await store.audit.add(deed)
        assert [deed.what for deed in await store.audit.list()] == ["b", "d", "a", "c"]
        assert [deed.what for deed in await store.audit.list(since=2.0, limit=2)] == ["b", "d"]
        assert (await store.audit.list(limit=1))[0] == deeds[1]
        assert await store.audit.prune(before=2.0) == 1
        assert [deed.what for deed in await store.audit.list()] == ["b", "d", "a"]

    async def test_a_store_tells_what_it_holds(self, store: Store, clock: Clock) -> None:
        """Of each kind and name the number and the oldest; what is forgotten, or was never there, is left out."""
        began = clock.time
        assert list(await store.contents()) == []
        for second, key in enumerate(("a", "b")):
            clock.time = began + second
            await store.keys("seen").claim(key, owner=store.owner, lease=10)
            await store.marks("cursor").put(key, "1")
            await store.groups("orders").add(key, key, key, owner=store.owner)
            await store.journal("route").add(key, key, owner=store.owner)
            await store.values("totals").put(key, key)
            await store.outbox("mails").add([(key, key)])
            await store.letters.add(letter(key, route="route", when=10.0 + second))
            await store.audit.add(Deed(20.0 + second, "ann", "x", "y"))
        await store.journal("route").finish("b", owner=store.owner, remember=60)
        await store.values("short").put("a", "a", until=clock.time)
        await store.journal("empty").count()
        assert [(held.kind, held.name, held.count, held.oldest) for held in await store.contents()] == [
            ("audit", "", 2, 20.0),
            ("finished", "route", 1, began + 1),
            ("groups", "orders", 2, began),
            ("journal", "route", 1, began),
            ("keys", "seen", 2, began),
            ("letters", "route", 2, 10.0),
            ("marks", "cursor", 2, began),
            ("outbox", "mails", 2, began),
            ("values", "totals", 2, began),
        ]

    async def test_giving_space_back_loses_nothing(self, store: Store) -> None:
        """After many were forgotten, those that are left are there, and the store goes on."""
        marks = store.marks("m")
        for number in range(40):
            await marks.put(f"{number:02}", "v" * 1000)
        for number in range(39):
            await marks.delete(f"{number:02}")
        await store.vacuum()
        assert list(await marks.items()) == [("39", "v" * 1000)]
        await marks.put("40", "v")
        assert len(await marks.items()) == 2
