"""A store whose texts are encrypted, whatever store it is: messages, letters, marks, values, results of effects.

What a store has to find things by stays readable: names, ids, times, owners, places, keys of marks, values and
groups, the names of effects, a letter's route, step, class of error and cluster, and the audit. Keys that were seen are
often addresses of people and are never listed: in a store that was encrypted from its beginning they are hashed, by a
secret of their own, which stays the same when the key of the store changes, so that they are found again. All kinds are
here, as all are wrapped in the same way.
"""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from hmac import new as hmac
from typing import Any

from anyio import Event

from ..errors import StoreError
from ..letter import Cluster, Letter
from ..store import (
    Adding,
    Arrival,
    Audit,
    Claim,
    Electing,
    Entry,
    Exclusive,
    Group,
    Groups,
    Held,
    Journal,
    Keys,
    Letters,
    Marks,
    Office,
    Outbox,
    Parcel,
    Shared,
    Store,
    Value,
    ValueChange,
    Values,
)
from ._cipher import PREFIX, Cipher, cipher_of
from ._lettertext import letter_of, text_of

_NAME, _KEY = "routekit", "sealed"
"""The mark that says that a store is encrypted, and by which a wrong key is found at once."""

_INDEX = "index"
"""The value that holds the secret by which keys are hashed."""


@asynccontextmanager
async def opened(store: AbstractAsyncContextManager[Store], keys: str | None) -> AsyncGenerator[Store]:
    """The store as it is, or with `keys` encrypted; raises StoreError for a wrong key, or none where one is due."""
    cipher = None if keys is None else cipher_of(keys)
    async with store as inner:
        known = await _known(inner)
        if cipher is None:
            if known is not None:
                raise StoreError("the store is encrypted", hint="give its key: sqlite:FILE?key=${STORE_KEY}")
            yield inner
        else:
            if known is not None:
                cipher.open(known, _NAME)  # a wrong key is refused here, before anything is written with it
            index = await _index(inner, cipher, begun=known is None)
            if known is None or not cipher.is_first(known):
                await inner.marks(_NAME).put(_KEY, cipher.seal("encrypted", _NAME))
            yield _kind(inner)(inner, cipher, index)


async def _known(store: Store) -> str | None:
    try:
        return await store.marks(_NAME).get(_KEY)
    except StoreError:  # locked just now, say: whoever reads later is told
        return None


async def _index(store: Store, cipher: Cipher, *, begun: bool) -> bytes | None:
    """The secret by which keys are hashed; None where there were keys before the store was encrypted so."""
    values = store.values(_NAME)
    found = await values.get(_INDEX)
    if found is None:
        if not begun or any(held.kind == "keys" for held in await store.contents()):
            return None
        secret = cipher.seal(os.urandom(32).hex(), _NAME, _INDEX)
        found = await values.put(_INDEX, secret, version=0) or await values.get(_INDEX)
        assert found is not None
    text = cipher.open(found.text, _NAME, _INDEX)
    if not cipher.is_first(found.text):
        await values.put(_INDEX, cipher.seal(text, _NAME, _INDEX), version=found.version)
    return bytes.fromhex(text)


class SealedStore:
    """Another store, with what can be encrypted."""

    def __init__(self, store: Store, cipher: Cipher, index: bytes | None) -> None:
        self._store = store
        self._cipher = cipher
        self._index = index
        self.durable = store.durable

    @property
    def owner(self) -> str:
        """Who this process is."""
        return self._store.owner

    def keys(self, name: str) -> Keys:
        """The keys of that name, hashed where the store was encrypted from its beginning."""
        keys = self._store.keys(name)
        return keys if self._index is None else SealedKeys(keys, self._index, name)

    def marks(self, name: str) -> Marks:
        """The marks of that name, their values sealed."""
        return SealedMarks(self._store.marks(name), self._cipher, name)

    def groups(self, name: str) -> Groups:
        """The groups of that name, their messages sealed."""
        return SealedGroups(self._store.groups(name), self._cipher, name)

    def journal(self, name: str) -> Journal:
        """The journal of that name, its messages and results sealed."""
        return SealedJournal(self._store.journal(name), self._cipher, name)

    def values(self, name: str) -> Values:
        """The values of that name, sealed."""
        return SealedValues(self._store.values(name), self._cipher, name)

    def outbox(self, name: str) -> Outbox:
        """The outbox of that name, its messages sealed."""
        return SealedOutbox(self._store.outbox(name), self._cipher, name)

    @property
    def letters(self) -> Letters:
        """The letters, with what is in messages and errors sealed."""
        return SealedLetters(self._store.letters, self._cipher)

    @property
    def audit(self) -> Audit:
        """What operators did, readable."""
        return self._store.audit

    async def contents(self) -> Sequence[Held]:
        """What there is of each kind under each name."""
        return await self._store.contents()

    async def vacuum(self) -> None:
        """Give unused space back."""
        await self._store.vacuum()

    def __getattr__(self, name: str) -> Any:
        """What the store offers besides."""
        return getattr(self._store, name)


class _SealedAlone(SealedStore):
    """One for one service at a time."""

    def serving(self) -> AbstractContextManager[None]:
        """Held by the service that runs routes with it."""
        assert isinstance(self._store, Exclusive)
        return self._store.serving()


class _SealedShared(SealedStore):
    """One that hears of other processes."""

    def changed(self, kind: str, name: str) -> Event:
        """Set at the next change."""
        assert isinstance(self._store, Shared)
        return self._store.changed(kind, name)


class _SealedElecting(_SealedShared):
    """One whose processes elect who leads."""

    def leading(self, name: str) -> AbstractAsyncContextManager[Office]:
        """Stand for the office of that name, which is readable."""
        assert isinstance(self._store, Electing)
        return self._store.leading(name)


def _kind(inner: Store) -> type[SealedStore]:
    if isinstance(inner, Exclusive):
        return _SealedAlone
    if isinstance(inner, Shared) and isinstance(inner, Electing):
        return _SealedElecting
    return _SealedShared if isinstance(inner, Shared) else SealedStore


class SealedKeys:
    """Keys that are hashed; nobody asks for them but by what they are."""

    def __init__(self, keys: Keys, index: bytes, name: str) -> None:
        self._keys = keys
        self._index = index
        self._name = name.encode("utf-8", "surrogatepass")

    async def claim(self, key: str, *, owner: str, lease: float) -> Claim:
        """Try to own `key` for `lease` seconds."""
        return await self._keys.claim(self._hashed(key), owner=owner, lease=lease)

    async def complete(self, key: str, *, owner: str) -> None:
        """Remember `key` as done for good."""
        await self._keys.complete(self._hashed(key), owner=owner)

    async def release(self, key: str, *, owner: str) -> None:
        """Forget the owner's claim."""
        await self._keys.release(self._hashed(key), owner=owner)

    async def prune(self, *, before: float) -> int:
        """Forget the keys that were done before this time."""
        return await self._keys.prune(before=before)

    def _hashed(self, key: str) -> str:
        return hmac(self._index, self._name + b"\0" + key.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:40]


class SealedMarks:
    """Marks whose values are sealed."""

    def __init__(self, marks: Marks, cipher: Cipher, name: str) -> None:
        self._marks = marks
        self._cipher = cipher
        self._name = name

    async def get(self, key: str) -> str | None:
        """The value of that key."""
        text = await self._marks.get(key)
        return None if text is None else self._opened(key, text)

    async def put(self, key: str, value: str) -> None:
        """Write a value."""
        await self._marks.put(key, self._cipher.seal(value, "marks", self._name, key))

    async def delete(self, key: str) -> None:
        """Forget a value."""
        await self._marks.delete(key)

    async def items(self) -> Sequence[tuple[str, str]]:
        """All keys with their values, sorted by key."""
        return [(key, self._opened(key, text)) for key, text in await self._marks.items()]

    def _opened(self, key: str, text: str) -> str:
        return self._cipher.open(text, "marks", self._name, key)


class SealedGroups:
    """Groups whose messages are sealed."""

    def __init__(self, groups: Groups, cipher: Cipher, name: str) -> None:
        self._groups = groups
        self._cipher = cipher
        self._name = name

    async def add(
        self,
        key: str,
        id: str,
        message: str,
        *,
        owner: str,
        full: int | None = None,
        reopen: bool = True,
        latest: bool = False,
    ) -> tuple[Adding, Group]:
        """Keep a message in the open group of `key`."""
        sealed = self._cipher.seal(message, "groups", self._name)
        return await self._groups.add(key, id, sealed, owner=owner, full=full, reopen=reopen, latest=latest)

    async def close(self, number: int, *, owner: str) -> bool:
        """Let the group take no more; true if it is the caller's to release."""
        return await self._groups.close(number, owner=owner)

    async def all(self) -> Sequence[Group]:
        """The open and the closed groups, oldest first."""
        return await self._groups.all()

    async def messages(self, number: int) -> Sequence[str]:
        """The messages of a group, in the order in which they were kept."""
        return [self._cipher.open(text, "groups", self._name) for text in await self._groups.messages(number)]

    async def remove(self, number: int, *, remember: float = 0.0) -> None:
        """Forget a group; its key and the ids of its messages are remembered for some seconds."""
        await self._groups.remove(number, remember=remember)


class SealedJournal:
    """A journal whose messages and results are sealed."""

    def __init__(self, journal: Journal, cipher: Cipher, name: str) -> None:
        self._journal = journal
        self._cipher = cipher
        self._name = name

    async def add(self, id: str, message: str, *, owner: str) -> Arrival:
        """Keep a message that has arrived; it is `owner`'s."""
        return await self._journal.add(id, self._sealed(id, message), owner=owner)

    async def checkpoint(self, id: str, place: str, message: str, *, owner: str) -> None:
        """From now on the message goes on at `place`; effects recorded before are forgotten."""
        await self._journal.checkpoint(id, place, self._sealed(id, message), owner=owner)

    async def record(self, id: str, effect: str, result: str, *, owner: str) -> None:
        """Remember that an effect of this message has happened, and what it gave."""
        sealed = self._cipher.seal(result, "effect", self._name, id, effect)
        await self._journal.record(id, effect, sealed, owner=owner)

    async def effects(self, id: str) -> Mapping[str, str]:
        """What was recorded for the message since its last checkpoint."""
        found = await self._journal.effects(id)
        return {effect: self._cipher.open(text, "effect", self._name, id, effect) for effect, text in found.items()}

    async def finish(self, id: str, *, owner: str, remember: float = 0.0) -> None:
        """Forget the message and its effects; its id is remembered for some seconds."""
        await self._journal.finish(id, owner=owner, remember=remember)

    async def take(self, *, owner: str, limit: int, after: int = 0) -> Sequence[Entry]:
        """Unfinished messages as the caller's own, oldest first."""
        found = await self._journal.take(owner=owner, limit=limit, after=after)
        return [
            replace(entry, message=self._cipher.open(entry.message, "journal", self._name, entry.id)) for entry in found
        ]

    async def adopt(self, id: str, *, owner: str) -> None:
        """Make an unfinished message the caller's own, whoever has it: the caller owns what brings it, as a group."""
        await self._journal.adopt(id, owner=owner)

    async def count(self) -> int:
        """How many are not finished."""
        return await self._journal.count()

    async def prune(self, *, before: float) -> int:
        """Forget the ids that need not be remembered any more at that time."""
        return await self._journal.prune(before=before)

    def _sealed(self, id: str, message: str) -> str:
        return self._cipher.seal(message, "journal", self._name, id)


class SealedValues:
    """Values that are sealed."""

    def __init__(self, values: Values, cipher: Cipher, name: str) -> None:
        self._values = values
        self._cipher = cipher
        self._name = name

    async def get(self, key: str) -> Value | None:
        """The value, if it is there and not to be forgotten yet."""
        return self._opened(key, await self._values.get(key))

    async def put(self, key: str, text: str, *, version: int | None = None, until: float | None = None) -> Value | None:
        """Write a value; with `version` only if that is the current one."""
        sealed = self._cipher.seal(text, "values", self._name, key)
        return self._opened(key, await self._values.put(key, sealed, version=version, until=until))

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        """Forget a value; false if there was none, or another version."""
        return await self._values.delete(key, version=version)

    async def items(self, *, after: str = "", limit: int = 1000) -> Sequence[tuple[str, Value]]:
        """Keys above `after` with their values, sorted by key."""
        found = await self._values.items(after=after, limit=limit)
        return [(key, replace(value, text=self._text(key, value))) for key, value in found]

    async def many(self, keys: Sequence[str]) -> Mapping[str, Value]:
        """The values of those keys that have one."""
        found = await self._values.many(keys)
        return {key: replace(value, text=self._text(key, value)) for key, value in found.items()}

    async def write(self, changes: Sequence[ValueChange], *, given: Mapping[str, int] = {}) -> bool:
        """Make all changes, or none if a version is another one."""
        return await self._values.write([self._sealed(one) for one in changes], given=given)

    def _sealed(self, one: ValueChange) -> ValueChange:
        if one.text is None:
            return one
        return replace(one, text=self._cipher.seal(one.text, "values", self._name, one.key))

    def _opened(self, key: str, value: Value | None) -> Value | None:
        return None if value is None else replace(value, text=self._text(key, value))

    def _text(self, key: str, value: Value) -> str:
        return self._cipher.open(value.text, "values", self._name, key)


class SealedOutbox:
    """An outbox whose messages are sealed."""

    def __init__(self, outbox: Outbox, cipher: Cipher, name: str) -> None:
        self._outbox = outbox
        self._cipher = cipher
        self._name = name

    async def add(self, parcels: Sequence[tuple[str, str]]) -> None:
        """Put in messages, each with its id."""
        await self._outbox.add(
            [(known, self._cipher.seal(text, "outbox", self._name, known)) for known, text in parcels]
        )

    async def take(self, *, owner: str, lease: float, limit: int) -> Sequence[Parcel]:
        """The oldest ones, for `lease` seconds the caller's own."""
        found = await self._outbox.take(owner=owner, lease=lease, limit=limit)
        return [replace(one, message=self._cipher.open(one.message, "outbox", self._name, one.id)) for one in found]

    async def sent(self, numbers: Sequence[int], *, owner: str) -> None:
        """Forget those, as far as they are still the owner's."""
        await self._outbox.sent(numbers, owner=owner)

    async def back(self, numbers: Sequence[int], *, owner: str) -> None:
        """Give them back, so that they may be taken at once."""
        await self._outbox.back(numbers, owner=owner)

    async def count(self) -> int:
        """How many are still to be sent."""
        return await self._outbox.count()


class SealedLetters:
    """Letters whose bodies, headers, texts and histories are sealed, as one."""

    def __init__(self, letters: Letters, cipher: Cipher) -> None:
        self._letters = letters
        self._cipher = cipher

    async def add(self, letter: Letter) -> None:
        """Keep a letter; one with the same id replaces it."""
        text = self._cipher.seal(text_of(letter).decode(), "letters", letter.id)
        bare = Letter(
            letter.id,
            letter.message_id,
            letter.route,
            letter.source,
            letter.step,
            letter.place,
            letter.error,
            "",
            letter.attempts,
            letter.when,
            {"sealed": text},
            cluster=letter.cluster,
        )
        await self._letters.add(bare)

    async def get(self, id: str) -> Letter | None:
        """The letter of that id."""
        found = await self._letters.get(id)
        return None if found is None else self._opened(found)

    async def list(
        self,
        *,
        route: str | None = None,
        cluster: str | None = None,
        since: float | None = None,
        before: float | None = None,
        oldest: bool = False,
        limit: int = 1000,
    ) -> Sequence[Letter]:
        """By time, as the store lists them."""
        found = await self._letters.list(
            route=route, cluster=cluster, since=since, before=before, oldest=oldest, limit=limit
        )
        return [self._opened(letter) for letter in found]

    async def count(self, *, route: str | None = None, cluster: str | None = None) -> int:
        """How many there are."""
        return await self._letters.count(route=route, cluster=cluster)

    async def clusters(self, *, route: str | None = None) -> Sequence[Cluster]:
        """What is alike among them; the text of each is that of one of its letters."""
        found = await self._letters.clusters(route=route)
        return [replace(cluster, text=await self._text(cluster, route)) for cluster in found]

    async def remove(self, id: str) -> bool:
        """Forget a letter; false if there was none."""
        return await self._letters.remove(id)

    async def prune(self, *, before: float) -> int:
        """Forget the letters given up earlier than this time."""
        return await self._letters.prune(before=before)

    async def _text(self, cluster: Cluster, route: str | None) -> str:
        letters = await self.list(route=route, cluster=cluster.id, oldest=True, limit=1)
        return Cluster.of(letters[0]).text if letters else ""

    def _opened(self, letter: Letter) -> Letter:
        body: Any = letter.body
        text = body.get("sealed") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON
        if not isinstance(text, str) or not text.startswith(PREFIX):
            return letter
        return letter_of(self._cipher.open(text, "letters", letter.id))
