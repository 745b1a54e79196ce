"""LetterDesk: dead letters, as an operator finds, mends, tries, replays and discards them in a running daemon."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ..console import one_line
from ..discretion import told
from ..errors import StoreError, Unavailable, UnknownName
from ..letter import Letter, kind_named
from ..lettering.discarding import KEEP, discard, discarded, restore
from ..lettering.editing import UNCHANGED, edit
from ..lettering.replaying import Outcome, Replay, Taking, nobody
from ..lettering.selecting import Selection, cluster_found, counted, found, listed, route_checked
from ..lettering.trying import Trial, dry_run
from ..route import Route
from ..runtime.service import Setup
from ..store import Store
from ..tasks import together
from .desk import Operator
from .letter_plain import as_cluster, as_detail, as_discarded, as_outcome, as_sight
from .letter_sights import ClusterSight, DiscardedSight, LetterDetail, LetterPage, ReplaySight
from .permission import permitted

PATIENCE = 5.0
"""Seconds that a replay is waited for before it goes on in the background."""

_KEPT = 50
"""Replays that are remembered after their end."""

_TOLD = 100
"""Outcomes that a replay keeps."""


class LetterDesk:
    """The dead letters of a running service.

    `store`, `routes` and `setup` give what is so now: routes may be exchanged while the daemon runs. `live` gives the
    way through a route that runs, by which its letters are replayed; else one is started for them. Ids may be given by
    their first characters. All raise UnknownName for a letter, cluster or route that there is not, and StoreError while
    the store is away. What changes something raises Rejected if `by` is a reader, and Unavailable while a replay of
    this desk runs. It is in the audit of the store, in the name of `by`.
    """

    def __init__(
        self,
        store: Callable[[], Store | None],
        routes: Callable[[], Sequence[Route]],
        setup: Callable[[], Setup],
        live: Callable[[Letter], Taking | None] = nobody,
    ) -> None:
        self._found = store
        self._routes = routes
        self._setup = setup
        self._live = live
        self._replays: dict[str, ReplaySight] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._numbers = count(1)
        self._turn = anyio.Lock()
        self._tasks: TaskGroup | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator["LetterDesk"]:
        """Replays can run while the block lasts; leaving it breaks them off, and what is not done stays a letter."""
        async with together() as self._tasks:
            try:
                yield self
            finally:
                tasks, self._tasks = self._tasks, None
                tasks.cancel_scope.cancel()

    async def list(
        self, selection: Selection | None = None, *, limit: int = 50, oldest: bool = False, by: Operator
    ) -> LetterPage:
        """So many of the letters that are meant, the newest first, and how many there are in all."""
        store, meant = self._store, await self._meant(selection)
        letters = await listed(store, meant, limit=limit, oldest=oldest)
        return LetterPage(letters=[as_sight(letter) for letter in letters], count=await counted(store, meant))

    async def get(self, id: str, *, by: Operator) -> LetterDetail:
        """All about one letter; for a reader, bodies and headers are masked."""
        letter = await found(self._store, id)
        return as_detail(letter, self._kind(letter), self._setup().private, hidden=by.role == "reader")

    async def clusters(self, *, route: str | None = None, by: Operator) -> Sequence[ClusterSight]:
        """What is alike among the letters, the largest cluster first."""
        store = self._store
        await route_checked(store, route)
        return [as_cluster(cluster) for cluster in await store.letters.clusters(route=route)]

    async def edit(
        self,
        id: str,
        *,
        body: Any = UNCHANGED,
        headers: Mapping[str, Any] | None = None,
        why: str,
        by: Operator,
    ) -> LetterDetail:
        """Change what a letter will be replayed with: JSON-ready data, bytes as `{"base64": ...}`; headers as a whole.

        Raises BodyError for a body that its route would refuse; nothing is changed then.
        """
        permitted(by, "edit letters")
        async with self._alone():
            store = self._store
            letter = await found(store, id)
            setup = self._setup_for(store)
            edited = await edit(
                store, self._routes(), setup, letter.id, body=body, headers=headers, who=by.name, why=why
            )
            return as_detail(edited)

    async def try_(self, id: str, *, answers: Mapping[str, Any] | None = None, by: Operator) -> Trial:
        """Say what a replay would send where; nothing leaves, and no state is changed.

        `answers` are what sinks answer, by address or pattern. The functions of the route do what they do.
        """
        permitted(by, "try letters, which runs the functions of their route")
        store = self._store
        letter = await found(store, id)
        return await dry_run(letter, self._routes(), self._setup_for(store), answers)

    async def replay(
        self,
        selection: Selection,
        *,
        rate: float | None = None,
        failures: int | None = 10,
        patience: float = PATIENCE,
        by: Operator,
    ) -> ReplaySight:
        """Send letters through their routes again, of each the oldest first, at most `rate` in a second.

        One that is done is forgotten, one that fails again stays; it stops after so many `failures` (None: never). What
        takes longer than `patience` seconds goes on in the background: `replays` tells of it, `stop_replay` ends it.
        """
        permitted(by, "replay letters")
        ended = anyio.Event()
        async with self._alone():
            meant = await self._meant(selection)
            total = await counted(self._store, meant)
            if self._tasks is None:
                raise Unavailable("the daemon is stopping: no replay begins", hint="replay when it runs again")
            sight = self._begun(meant, rate, by, total)
            self._tasks.start_soon(self._replayed, sight.id, meant, failures, ended)
        with anyio.move_on_after(patience):
            await ended.wait()
        return self._replays[sight.id]

    async def replays(self, *, by: Operator) -> Sequence[ReplaySight]:
        """The replays since the start of the daemon, the newest first; those that run, and the last that have ended."""
        return list(reversed(self._replays.values()))

    async def stop_replay(self, id: str, *, by: Operator) -> ReplaySight:
        """Break a replay off; a letter that it was at stays."""
        permitted(by, "stop replays")
        if id not in self._replays:
            raise UnknownName(f"there is no replay '{id}'", hint="see: GET /api/replays")
        if id in self._scopes:
            self._replays[id] = self._replays[id].model_copy(update={"stopped": f"stopped by {by.name}"})
            self._scopes[id].cancel()
        return self._replays[id]

    async def discard(self, selection: Selection, *, why: str, keep: float = KEEP, by: Operator) -> int:
        """Take letters away, with a reason; they can be restored for `keep` seconds. Returns how many."""
        permitted(by, "discard letters")
        async with self._alone():
            store, meant = self._store, await self._meant(selection)
            return await discard(store, self._setup_for(store), meant, who=by.name, why=why, keep=keep)

    async def discarded(self, *, limit: int = 1000, by: Operator) -> Sequence[DiscardedSight]:
        """Letters that were discarded and can be restored, by id."""
        those: list[DiscardedSight] = []
        async for one in discarded(self._store):
            if len(those) >= limit:
                break
            those.append(as_discarded(one))
        return those

    async def restore(self, id: str, *, why: str = "", by: Operator) -> LetterDetail:
        """Bring a discarded letter back; needs its whole id."""
        permitted(by, "restore letters")
        async with self._alone():
            store = self._store
            return as_detail(await restore(store, self._setup_for(store), id, who=by.name, why=why))

    def _kind(self, letter: Letter) -> Any:
        """The type of a letter's body, if its route is there and says so."""
        if letter.entry:
            return kind_named(letter.kind)
        return next((route.body for route in self._routes() if route.name == letter.route), None)

    @property
    def _store(self) -> Store:
        store = self._found()
        if store is None:
            raise StoreError("the store is not open", hint="the daemon starts or stops: try again in a moment")
        return store

    def _setup_for(self, store: Store) -> Setup:
        return replace(self._setup(), store=store)

    async def _meant(self, selection: Selection | None) -> Selection:
        """A selection whose ids and cluster are whole."""
        if selection is None:
            return Selection()
        store = self._store
        await route_checked(store, selection.route, [route.name for route in self._routes()])
        ids = tuple([(await found(store, one)).id for one in selection.ids])
        cluster = None if selection.cluster is None else (await cluster_found(store, selection.cluster)).id
        return selection.model_copy(update={"ids": ids, "cluster": cluster})

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """No other change of this desk meanwhile: the store keeps processes apart, not what one of them does."""
        self._free()
        async with self._turn:
            self._free()
            yield

    def _free(self) -> None:
        running = next(iter(self._scopes), None)
        if running is not None:
            raise Unavailable(f"replay {running} runs", hint="wait for its end, or stop it")

    def _begun(self, meant: Selection, rate: float | None, by: Operator, total: int) -> ReplaySight:
        number, now = str(next(self._numbers)), self._setup().now()
        sight = ReplaySight(id=number, what=meant.words, who=by.name, began=now, total=total, rate=rate)
        self._replays[number] = sight
        self._scopes[number] = anyio.CancelScope()
        for old in list(self._replays)[:-_KEPT]:
            del self._replays[old]
        return sight

    async def _replayed(self, id: str, meant: Selection, failures: int | None, ended: anyio.Event) -> None:
        """Run a replay to its end, whatever that is: nobody may wait for it any more."""
        began = self._replays[id]
        ending: dict[str, Any] = {}
        try:
            with self._scopes[id]:
                report = await Replay(
                    self._store,
                    self._routes(),
                    self._setup_for(self._store),
                    began.who,
                    rate=began.rate,
                    failures=failures,
                    tell=lambda outcome: self._note(id, outcome),
                    live=self._live,
                ).run(meant)
                ending["stopped"] = report.stopped
        except Exception as error:  # of a route, its sinks or the store: who asked reads it, and the daemon goes on
            ending["error"] = one_line(told(error))
        finally:
            del self._scopes[id]
            now = self._setup().now()
            self._replays[id] = self._replays[id].model_copy(update={"running": False, "ended": now, **ending})
            ended.set()

    def _note(self, id: str, outcome: Outcome) -> None:
        sight = self._replays[id]
        outcomes = sight.outcomes
        if outcome.result != "done" and len(outcomes) < _TOLD:
            outcomes = [*outcomes, as_outcome(outcome)]
        changed = {outcome.result: getattr(sight, outcome.result) + 1, "outcomes": outcomes}
        self._replays[id] = sight.model_copy(update=changed)
