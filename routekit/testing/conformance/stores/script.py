"""Calls of a store by name: what random series of them consist of, and what each answers."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, TypeAlias

from ....errors import StoreError
from ....letter import Letter
from ....store import Store, ValueChange

Call: TypeAlias = tuple[Any, ...]
"""The word, and what it is given; names of state come without the prefix of their series."""

_KEYS = ("a", "b", "A")
_NAMES = ("x", "y")
_OWNERS = ("me", "you")
_IDS = ("1", "2", "3")


def drawn(chance: Random, length: int) -> Sequence[Call]:
    """A random series of calls."""
    return [_drawn(chance) for _ in range(length)]


def _drawn(chance: Random) -> Call:
    one = chance.choice
    name, key, owner = one(_NAMES), one(_KEYS), one(_OWNERS)
    known, text = one(_IDS), one(("", "é", "12", '"'))
    return one(
        [
            ("claim", name, key, owner, one([0, 5, 50])),
            (one(["complete", "release"]), name, key, owner),
            ("prune keys", name, one([-60, 0, 5, 60])),
            ("put", name, key, text),
            (one(["get", "delete"]), name, key),
            ("items", name),
            ("add letter", known, name, one([1.0, 2.0, 3.0]), text),
            (one(["letter", "remove letter"]), known),
            (one(["letters", "count letters", "clusters"]), name),
            ("keep", name, key, known, text, one([None, 1, 2]), one([True, False])),
            ("close", name, one([1, 2, 3]), owner),
            ("groups", name),
            ("messages", name, one([1, 2, 3])),
            ("forget", name, one([1, 2, 3]), one([0, 5, 50])),
            ("arrive", name, known, text),
            ("checkpoint", name, known, key, text),
            ("record", name, known, key, text),
            ("effects", name, known),
            ("finish", name, known, one([0, 5, 50])),
            ("take", name, one([1, 9])),
            ("adopt", name, known),
            ("prune journal", name, one([-5, 0, 50])),
            ("write", name, key, text, one([None, 0, 1, 2]), one([None, 5])),
            ("erase", name, key, one([None, 1])),
            ("together", name, key, one([text, None]), one([None, 0, 1, 2]), text, one([None, 0, 1])),
            ("read many", name, key),
            ("read", name, key),
            ("values", name),
            ("send", name, [(one(_IDS), text) for _ in range(one([1, 2]))]),
            ("parcels", name, owner, one([0, 5]), one([1, 9])),
            ("sent", name, owner, one([1, 2])),
            ("back", name, owner, one([1, 2])),
            ("wait", one([1, 5, 49])),
        ]
    )


async def answer(store: Store, now: float, prefix: str, call: Call) -> Any:
    """What the store says, in a form in which the answers of two stores can be compared."""
    word, *args = call
    if word in ("add letter", "letter", "remove letter", "letters", "count letters", "clusters"):
        return await _of_letters(store, prefix, word, args)
    if word == "wait":
        return None
    name, args = f"{prefix}-{args[0]}", args[1:]
    try:
        for answering in (_of_keys_and_marks, _of_groups, _of_journal, _of_values, _of_outbox):
            found = await answering(store, now, name, word, args)
            if found is not _NOT_MINE:
                return found
    except StoreError:
        return "refused"
    raise AssertionError(f"no such word: {word}")


_NOT_MINE = object()


async def _of_letters(store: Store, prefix: str, word: str, args: Sequence[Any]) -> Any:
    letters, first = store.letters, f"{prefix}-{args[0]}"
    match word:
        case "add letter":
            _, route, when, text = args
            letter = Letter(first, "m", f"{prefix}-{route}", "s", "t", "p", "E", text, 1, when, {"body": text})
            return await letters.add(letter)
        case "letter":
            return await letters.get(first)
        case "remove letter":
            return await letters.remove(first)
        case "letters":
            return list(await letters.list(route=first))
        case "count letters":
            return await letters.count(route=first)
        case _:
            return list(await letters.clusters(route=first))


async def _of_keys_and_marks(store: Store, now: float, name: str, word: str, args: Sequence[Any]) -> Any:
    match word:
        case "claim":
            return await store.keys(name).claim(args[0], owner=args[1], lease=args[2])
        case "complete":
            return await store.keys(name).complete(args[0], owner=args[1])
        case "release":
            return await store.keys(name).release(args[0], owner=args[1])
        case "prune keys":
            return await store.keys(name).prune(before=now - args[0])
        case "put":
            return await store.marks(name).put(*args)
        case "get":
            return await store.marks(name).get(*args)
        case "delete":
            return await store.marks(name).delete(*args)
        case "items":
            return list(await store.marks(name).items())
        case _:
            return _NOT_MINE


async def _of_groups(store: Store, now: float, name: str, word: str, args: Sequence[Any]) -> Any:
    groups = store.groups(name)
    match word:
        case "keep":
            key, known, text, full, flag = args
            latest = flag and full is None
            adding, group = await groups.add(key, known, text, owner="me", full=full, reopen=flag, latest=latest)
            return adding, replace(group, number=0)
        case "close":
            number = await _nth(store, name, args[0])
            return number and await groups.close(number, owner=args[1])
        case "groups":
            return [replace(group, number=0) for group in await groups.all()]
        case "messages":
            return list(await groups.messages(await _nth(store, name, args[0])))
        case "forget":
            return await groups.remove(await _nth(store, name, args[0]), remember=args[1])
        case _:
            return _NOT_MINE


async def _nth(store: Store, name: str, place: int) -> int:
    """The number of the nth group of that name, or 0: the stores count in their own ways."""
    groups = await store.groups(name).all()
    return groups[place - 1].number if place <= len(groups) else 0


async def _of_journal(store: Store, now: float, name: str, word: str, args: Sequence[Any]) -> Any:
    journal, owner = store.journal(name), store.owner
    match word:
        case "arrive":
            return await journal.add(*args, owner=owner)
        case "checkpoint":
            return await journal.checkpoint(*args, owner=owner)
        case "record":
            return await journal.record(*args, owner=owner)
        case "effects":
            return dict(await journal.effects(*args))
        case "finish":
            return await journal.finish(args[0], owner=owner, remember=args[1])
        case "take":
            found = await journal.take(owner=owner, limit=args[0])
            return await journal.count(), [replace(entry, number=0) for entry in found]
        case "adopt":
            return await journal.adopt(*args, owner=owner)
        case "prune journal":
            return await journal.prune(before=now + args[0])
        case _:
            return _NOT_MINE


async def _of_values(store: Store, now: float, name: str, word: str, args: Sequence[Any]) -> Any:
    values = store.values(name)
    match word:
        case "write":
            key, text, version, seconds = args
            return await values.put(key, text, version=version, until=seconds and now + seconds)
        case "erase":
            return await values.delete(args[0], version=args[1])
        case "together":
            key, text, version, other, given = args
            changes = [ValueChange(key, text, version=version), ValueChange(f"{key} too", other, until=now + 50)]
            return await values.write(changes, given={} if given is None else {"third": given})
        case "read":
            return await values.get(*args)
        case "read many":
            return dict(await values.many([args[0], f"{args[0]} too", "third"]))
        case "values":
            return list(await values.items())
        case _:
            return _NOT_MINE


async def _of_outbox(store: Store, now: float, name: str, word: str, args: Sequence[Any]) -> Any:
    outbox = store.outbox(name)
    match word:
        case "send":
            await outbox.add(*args)
            return await outbox.count()
        case "parcels":
            found = await outbox.take(owner=args[0], lease=args[1], limit=args[2])
            return [replace(parcel, number=0) for parcel in found]
        case "sent" | "back":
            owner, limit = args
            numbers = [parcel.number for parcel in await outbox.take(owner=owner, lease=5, limit=limit)]
            await (outbox.sent if word == "sent" else outbox.back)(numbers, owner=owner)
            return len(numbers), await outbox.count()
        case _:
            return _NOT_MINE
