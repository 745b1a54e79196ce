"""The law that binds the stores: whatever is asked, all of them answer the same."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit import Letter, Store
from routekit.stores.memory import open_memory
from routekit.stores.sqlite import open_sqlite

names = some.sampled_from(["x", "y"])
texts = some.text(some.characters(exclude_categories=["Cs"]), max_size=3)
keys = some.sampled_from(["a", "b", "A"]) | texts
owners = some.sampled_from(["me", "you"])
ids = some.sampled_from(["1", "2", "3"])
times = some.sampled_from([1.0, 2.0, 3.0])

steps = some.one_of(
    some.tuples(some.just("claim"), names, keys, owners, some.sampled_from([0, 5, 50])),
    some.tuples(some.sampled_from(["complete", "release"]), names, keys, owners),
    some.tuples(some.just("prune"), names, some.integers(-60, 60)),
    some.tuples(some.just("put"), names, keys, texts),
    some.tuples(some.sampled_from(["get", "delete"]), names, keys),
    some.tuples(some.just("items"), names),
    some.tuples(some.just("add"), ids, names, times, texts),
    some.tuples(some.sampled_from(["letter", "remove"]), ids),
    some.tuples(some.sampled_from(["list", "count"]), some.none() | names),
    some.tuples(some.just("keep"), names, names, ids, texts, some.sampled_from([None, 1, 2]), some.booleans()),
    some.tuples(some.just("close"), names, some.integers(1, 5), owners),
    some.tuples(some.just("groups"), names),
    some.tuples(some.just("messages"), names, some.integers(1, 5)),
    some.tuples(some.just("forget"), names, some.integers(1, 5), some.sampled_from([0, 5, 50])),
    some.tuples(some.just("wait"), some.sampled_from([1, 5, 49])),
)


async def answer(store: Store, now: float, word: str, *args: Any) -> Any:
    match word, args:
        case "claim", (name, key, owner, lease):
            return await store.keys(name).claim(key, owner=owner, lease=lease)
        case "complete" | "release", (name, key, owner):
            return await getattr(store.keys(name), word)(key, owner=owner)
        case "prune", (name, ago):
            return await store.keys(name).prune(before=now - ago)
        case "put" | "get" | "delete" | "items", (name, *rest):
            found = await getattr(store.marks(name), word)(*rest)
            return list(found) if word == "items" else found
        case "add", (id, route, when, text):
            letter = Letter(id, "m", route, "s", "t", "p", "E", text, 1, when, {"body": text})
            return await store.letters.add(letter)
        case "letter" | "remove", (id,):
            return await getattr(store.letters, "get" if word == "letter" else word)(id)
        case "list" | "count", (route,):
            found = await getattr(store.letters, word)(route=route)
            return list(found) if word == "list" else found
        case "keep", (name, key, id, text, full, flag):
            how = {"owner": "me", "full": full, "reopen": flag, "latest": flag and full is None}
            adding, group = await store.groups(name).add(key, id, text, **how)
            return adding, replace(group, number=0)
        case "close", (name, place, owner):
            number = await nth(store, name, place)
            return number and await store.groups(name).close(number, owner=owner)
        case "groups", (name,):
            return [replace(group, number=0) for group in await store.groups(name).all()]
        case "messages", (name, place):
            return list(await store.groups(name).messages(await nth(store, name, place)))
        case "forget", (name, place, remember):
            return await store.groups(name).remove(await nth(store, name, place), remember=remember)
        case _:
            return None


async def nth(store: Store, name: str, place: int) -> int:
    """The number of the nth group of that name, or 0: the stores count in their own ways."""
    groups = await store.groups(name).all()
    return groups[place - 1].number if place <= len(groups) else 0


@settings(max_examples=100, deadline=None)
@given(some.lists(steps, max_size=30))
def test_sqlite_answers_like_memory(script: list[tuple[Any, ...]]):
    """Any series of calls gives the same answers from the SQLite store as from the one in memory."""

    async def compare(path: Path) -> None:
        clock = [1000.0]
        now = lambda: clock[0]  # noqa: E731  # one line says it
        async with open_memory("", {}, now) as memory, open_sqlite(str(path), {}, now) as sqlite:
            for word, *args in script:
                if word == "wait":
                    clock[0] += args[0]
                expected = await answer(memory, clock[0], word, *args)
                assert await answer(sqlite, clock[0], word, *args) == expected, (word, args)

    with tempfile.TemporaryDirectory() as folder:
        anyio.run(compare, Path(folder) / "s.db")
