"""The application `routekit sync`, and what its commands share: the pairs of the project, and the way to a ledger."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from routekit import DefinitionError, RouteKitError, Runtime, Unavailable
from routekit.commanding import ROUTES, Project, chosen, deed, name_of, project

from ..hiding import revealed
from ..kept import Lease
from ..ledger import Ledger
from ..pair import SyncPair

R = TypeVar("R")

_ORDER = [
    "plan",
    "run",
    "status",
    "links",
    "conflicts",
    "quarantine",
    "reconcile",
    "backfill",
    "cursor",
    "brake",
    "unpark",
    "profile",
    "export",
    "erase",
    "readmit",
]


class _InOrder(TyperGroup):
    """Lists its commands in the order in which people need them, and not in that of the modules."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(self.commands, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


sync = typer.Typer(
    cls=_InOrder,
    help="Plan, run and look after pairs of systems that are kept in step.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


def _names(incomplete: str) -> list[str]:
    """The names of the pairs, for a shell that completes; it gets none where they cannot be read."""
    try:
        return [pair.name for pair in found().pairs if pair.name.startswith(incomplete)]
    except RouteKitError:
        return []


Routes = Annotated[Path, typer.Option("--routes", help="folder of route modules, where the pairs are")]
OnePair = Annotated[str, typer.Argument(help="the name of the pair", autocompletion=_names)]
AnyPair = Annotated[str | None, typer.Argument(help="the name of the pair; else all of them", autocompletion=_names)]
OfPair = Annotated[str | None, typer.Option("--pair", metavar="NAME", help="only of this pair", autocompletion=_names)]
Why = Annotated[str, typer.Option("--why", help="the reason, for the audit")]

Reveal = Annotated[bool, typer.Option("--reveal", help="show also what is marked as sensitive; the audit has who did")]

Ledgers = Mapping[str, Ledger]
"""What pairs remember, by their names."""


@dataclass(frozen=True)
class Found:
    """The pairs of a project that a command is about."""

    project: Project
    pairs: Sequence[SyncPair]

    def run(self, work: Callable[[Runtime], Awaitable[R]], *, keeps: bool = False) -> R:
        """What `work` gives, with connections, store and settings of the project."""
        return self.project.run(work, "sync", keeps=keeps)

    def look(self, work: Callable[[Ledgers], Awaitable[R]]) -> R:
        """What `work` makes of what the pairs remember; a store that is not there looks empty."""

        async def looking(runtime: Runtime) -> R:
            return await work({pair.name: ledger_of(pair, runtime) for pair in self.pairs})

        return self.run(looking)


def found(routes: Path = ROUTES, name: str | None = None) -> Found:
    """The pair of that name, or all; raises UnknownName if there is none, DefinitionError if a name is there twice."""
    here = project(routes)
    places: dict[str, str] = {}
    pairs: dict[str, SyncPair] = {}
    for place, pair in here.values(SyncPair).items():
        if pair.name in pairs:
            twice = f"both {places[pair.name]} and {place} are the pair '{pair.name}'"
            raise DefinitionError(twice, hint="the name names the state in the store: give each its own")
        pairs[pair.name], places[pair.name] = pair, place
    if name is not None:
        return Found(here, [chosen(name, pairs, "pair")])
    if not pairs:
        hint = "a pair is a module-level variable of a route module: customers = SyncPair(...)"
        raise DefinitionError(f"there is no pair in '{routes}'", hint=hint)
    return Found(here, [pairs[each] for each in sorted(pairs)])


def ledger_of(pair: SyncPair, runtime: Runtime) -> Ledger:
    """What a pair remembers."""
    values = runtime.store.values(f"sync:{pair.name}")
    return Ledger(values, runtime.now, owner=runtime.store.owner, tombstones=pair.tombstones)


async def noted(runtime: Runtime, who: str, action: str, pair: SyncPair, what: str, details: str = "") -> None:
    """Write into the audit what somebody did to a pair."""
    await deed(runtime, who, f"sync.{action}", f"{pair.name}: {what}" if what else pair.name, details)


def sight(here: Found, who: str | None, what: str, *, reveal: bool) -> Callable[[SyncPair], SyncPair]:
    """How pairs are shown: with marked values masked, or, if somebody wants to see them, whole, which is noted."""
    if not reveal:
        return lambda pair: pair
    by = name_of(who)

    async def work(runtime: Runtime) -> None:
        for pair in here.pairs:
            await noted(runtime, by, "reveal", pair, what)

    here.run(work, keeps=True)
    return revealed


def at_work(pair: SyncPair, lease: Lease | None) -> Unavailable:
    """The error for a pair that another process works at."""
    owner = "another process" if lease is None or not lease.owner else f"another process, {lease.owner},"
    hint = "wait until its cycle is done; if it does not end, stop its route: routekit stop ROUTE"
    return Unavailable(f"{owner} works at the pair '{pair.name}' now", hint=hint)
