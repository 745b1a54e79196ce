"""Ledger: all that a pair remembers, on the values of a store; a link and its index move in one transaction.

Keys: `link/ID`, its documents; `a/ID` and `b/ID`, the link of a record, aliases too; `todo/ID`, links that are looked
at without being reported, with the time; `key/SIDE/...`, the match keys of records that are not linked; `cursor/SIDE`,
`conflict/ID`, `quarantine/ID`, `lease/N`, `held` and `runs`. Whoever holds the lease fences all that it writes by it.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

from routekit import RouteKitError, Value, ValueChange, Values

from .kept import Conflict, Cursor, Held, Lease, Quarantined, RunRecord, Runs
from .state import Document, Link
from .units import Side

D = TypeVar("D", bound=Document)

SIDES: tuple[Side, Side] = ("a", "b")
_BATCH = 500
_RUNS = 50


class LeaseLost(RouteKitError):
    """Another process works at this part of the pair now: what this one still has in hand is not written."""


class Changed(RouteKitError):
    """Somebody else has changed what was to be written: read it again, and decide anew."""


@dataclass(frozen=True, slots=True)
class Known:
    """A link as it is kept; `version` 0: not kept yet."""

    link: Link
    version: int = 0


@dataclass(frozen=True, slots=True)
class Saving:
    """What becomes of a link: before, and after; `after=None` forgets it. `extra` is written with it."""

    before: Known | None
    after: Link | None
    extra: Sequence[ValueChange] = ()


class Ledger:
    """What a pair remembers. `owner` tells the processes that share the store apart."""

    def __init__(self, values: Values, now: Callable[[], float], *, owner: str = "", tombstones: float = 1e12) -> None:
        self._values = values
        self._owner = owner
        self.now = now
        self.tombstones = tombstones
        """Seconds for which a dead link is remembered."""
        self.partition = 0
        """The part of the pair that is worked at: each has cursors of its own."""
        self._lease = ""
        self._fence: dict[str, int] = {}
        self._until = 0.0

    def over(self, values: Values) -> "Ledger":
        """The same ledger on other values, without a lease: for a rehearsal."""
        ledger = Ledger(values, self.now, owner=self._owner, tombstones=self.tombstones)
        ledger.partition = self.partition
        return ledger

    @property
    def values(self) -> Values:
        """Where all is kept."""
        return self._values

    # The lease

    async def acquire(self, partition: int = 0, *, seconds: float = 300.0) -> bool:
        """Try to become who works at a part of the pair for so long; false if another process does."""
        key = f"lease/{partition}"
        found = await self._values.get(key)
        lease = None if found is None else Lease.model_validate_json(found.text)
        if lease is not None and lease.owner != self._owner and lease.until > self.now():
            return False
        if self._fence and found is not None and found.version != self._fence.get(key):
            self._lease, self._fence, self._until = "", {}, 0.0  # somebody had it in between
        until = self.now() + seconds
        text = Lease(owner=self._owner, until=until).model_dump_json()
        done = await self._values.put(key, text, version=0 if found is None else found.version)
        if done is None:
            return False
        self._lease, self._until, self._fence = key, until, {key: done.version}
        return True

    async def renew(self, *, seconds: float = 300.0) -> None:
        """Hold the lease for longer, if half of it is over; call it while nothing is being written."""
        if not self._lease or self._until - self.now() > seconds / 2:
            return
        until = self.now() + seconds
        text = Lease(owner=self._owner, until=until).model_dump_json()
        done = await self._values.put(self._lease, text, version=self._fence[self._lease])
        if done is None:
            raise LeaseLost(f"the lease '{self._lease}' was taken by another process")
        self._until, self._fence = until, {self._lease: done.version}

    async def release(self) -> None:
        """Give the lease back, so that another process has it at once."""
        if self._lease:
            over = Lease(owner="", until=0.0)  # not deleted: versions would begin anew, and fence nobody
            await self._values.put(self._lease, over.model_dump_json(), version=self._fence[self._lease])
            self._lease, self._fence, self._until = "", {}, 0.0

    def hold(self) -> None:
        """Raise `LeaseLost` if the lease has run out: called before each write to a remote."""
        if self._lease and self.now() >= self._until:
            raise LeaseLost(f"the lease '{self._lease}' has run out", hint="the next cycle asks for it again")

    # Links

    async def link(self, id: str) -> Known | None:
        """The link of that id."""
        return _known(await self._values.get(f"link/{id}"))

    async def many(self, ids: Sequence[str]) -> dict[str, Known]:
        """Those of the links that there are, by id."""
        found = await self._values.many([f"link/{each}" for each in ids])
        return {key[5:]: Known(Link.model_validate_json(value.text), value.version) for key, value in found.items()}

    async def linked(self, side: Side, ids: Sequence[str]) -> dict[str, Known]:
        """The links of those records of a side that have one, by the record's id."""
        found = await self._values.many([f"{side}/{each}" for each in ids])
        links = await self.many(list({value.text for value in found.values()}))
        own = {key[2:]: value.text for key, value in found.items()}
        return {each: links[link] for each, link in own.items() if link in links}

    async def save(self, *savings: Saving, extra: Sequence[ValueChange] = ()) -> None:
        """Write links with their index, and what belongs to them, in one transaction.

        Raises `Changed` if one of them has been changed since it was read, or a record is another link's already, and
        `LeaseLost` if another process has the lease.
        """
        changes = self._changes(savings)
        await self.write([*changes, *(one for saving in savings for one in saving.extra), *extra])

    async def write(self, changes: Sequence[ValueChange]) -> None:
        """Write values by key, fenced by the lease; raises as `save` does."""
        if not changes:
            return
        single = {one.key: one for one in changes}
        if await self._values.write(list(single.values()), given=self._fence):
            return
        if self._fence:
            held = await self._values.get(self._lease)
            if held is None or held.version != self._fence[self._lease]:
                raise LeaseLost(f"the lease '{self._lease}' was taken by another process")
        raise Changed("a link was changed by somebody else", hint="it is read again")

    def _changes(self, savings: Sequence[Saving]) -> Iterable[ValueChange]:
        before: dict[str, str] = {}
        after: dict[str, tuple[str, float | None]] = {}
        for saving in savings:
            yield from self._document(saving)
            if saving.before is not None and saving.before.version:
                before |= dict.fromkeys(_index(saving.before.link), saving.before.link.id)
            if saving.after is not None:
                until = self._forgotten(saving.after)
                after |= dict.fromkeys(_index(saving.after), (saving.after.id, until))
        for key in before.keys() - after.keys():
            yield ValueChange(key, None)
        for key, (link, until) in after.items():
            if before.get(key) != link or until is not None:
                yield ValueChange(key, link, None if key in before else 0, until)

    def _document(self, saving: Saving) -> Iterable[ValueChange]:
        version = 0 if saving.before is None else saving.before.version
        if saving.after is None:
            gone = saving.before.link.id if saving.before is not None else ""
            yield from [ValueChange(f"link/{gone}", None, version), ValueChange(f"todo/{gone}", None)]
            return
        link = saving.after
        yield ValueChange(f"link/{link.id}", link.model_dump_json(), version, self._forgotten(link))
        due = _due(link)
        if due != (None if saving.before is None or not version else _due(saving.before.link)):
            yield ValueChange(f"todo/{link.id}", None if due is None else repr(due))

    def _forgotten(self, link: Link) -> float | None:
        return self.now() + self.tombstones if link.state == "dead" else None

    async def links(self) -> AsyncGenerator[Known]:
        """All links, a page at a time."""
        async for _, value in self.under("link/"):
            yield Known(Link.model_validate_json(value.text), value.version)

    async def todo(self) -> AsyncGenerator[tuple[str, float]]:
        """The ids of the links that have to be looked at, each with the time from which on."""
        async for key, value in self.under("todo/"):
            yield key, float(value.text)

    async def under(self, prefix: str) -> AsyncGenerator[tuple[str, Value]]:
        """All values whose key begins so, by the rest of the key, a page at a time."""
        after = prefix
        while True:
            page = await self._values.items(after=after, limit=_BATCH)
            for key, value in page:
                if not key.startswith(prefix):
                    return
                yield key[len(prefix) :], value
            if len(page) < _BATCH:
                return
            after = page[-1][0]

    # What is kept beside the links

    async def cursor(self, side: Side) -> Cursor:
        """How far a side has been read."""
        return await self._get(Cursor, self.place(f"cursor/{side}")) or Cursor()

    async def move(self, side: Side, cursor: Cursor) -> None:
        """Remember how far a side has been read, after all that is before it has been dealt with or kept."""
        await self.write([document(self.place(f"cursor/{side}"), cursor)])

    def place(self, key: str) -> str:
        """Where the part of the pair that is worked at keeps what each part has of its own."""
        return key if self.partition == 0 else f"{key}/{self.partition}"

    async def conflict(self, id: str) -> Conflict | None:
        """The conflict of that id."""
        return await self._get(Conflict, f"conflict/{id}")

    async def conflicts(self) -> AsyncGenerator[Conflict]:
        """All conflicts, those that a rule has decided too."""
        async for _, value in self.under("conflict/"):
            yield Conflict.model_validate_json(value.text)

    async def quarantined(self, link: str) -> Quarantined | None:
        """Why a link was given up, if it was."""
        return await self._get(Quarantined, f"quarantine/{link}")

    async def quarantine(self) -> AsyncGenerator[Quarantined]:
        """All links that were given up."""
        async for _, value in self.under("quarantine/"):
            yield Quarantined.model_validate_json(value.text)

    async def held(self) -> Held | None:
        """The deletions that wait for a person, if there are any."""
        return await self._get(Held, self.place("held"))

    async def runs(self) -> Sequence[RunRecord]:
        """The last cycles, the newest last."""
        return (await self._get(Runs, "runs") or Runs()).runs

    async def ran(self, run: RunRecord) -> None:
        """Remember a cycle."""
        await self.write([document("runs", Runs(runs=[*await self.runs(), run][-_RUNS:]))])

    async def lease(self, partition: int = 0) -> Lease | None:
        """Who works at a part of the pair."""
        return await self._get(Lease, f"lease/{partition}")

    async def _get(self, kind: type[D], key: str) -> D | None:
        found = await self._values.get(key)
        return None if found is None else kind.model_validate_json(found.text)


def document(key: str, content: Document) -> ValueChange:
    """A document as it is written, to be written with other things."""
    return ValueChange(key, content.model_dump_json())


def digest(*parts: object) -> str:
    """A short text that is the same for the same parts, and for no others."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=12).hexdigest()


def ids(link: Link, side: Side) -> list[str]:
    """The ids that a link has on a side: its record's first, then those of records that were merged into it."""
    shadow = link.a if side == "a" else link.b
    aliases = link.aliases_a if side == "a" else link.aliases_b
    return [*([] if shadow is None else [shadow.id]), *aliases]


def _index(link: Link) -> list[str]:
    return [f"{side}/{each}" for side in SIDES for each in ids(link, side)]


def _due(link: Link) -> float | None:
    if link.state in ("dead", "parked"):
        return None
    return link.due if link.due or link.intents else None


def _known(value: Value | None) -> Known | None:
    return None if value is None else Known(Link.model_validate_json(value.text), value.version)
