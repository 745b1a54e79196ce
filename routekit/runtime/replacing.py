"""Replacing: the routes of a running service are brought in line with other definitions, one by one.

What says the same goes on untouched. Of what has changed the old version takes no more messages and finishes those that
it has; only then its successor starts, so that no message is had twice: by that time the source has been told of all,
leases and journal entries are free, and nobody else rings for the groups. Calls from inside wait for the successor.
A version ends after those that call it, so that what they have at work meets the version that it was made for.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ..errors import DefinitionError
from ..figures import Figures
from ..order import levels
from ..route import Route
from ..sameness import same
from ..tasks import either
from .controls import Controls
from .runner import Runner
from .services import Activity, Services

_States = Mapping[tuple[Any, str], Any]


@dataclass(frozen=True)
class Difference:
    """The names of routes, by what becomes of them; each in the order in which it was given."""

    changed: Sequence[str] = ()
    new: Sequence[str] = ()
    gone: Sequence[str] = ()

    @property
    def fresh(self) -> Collection[str]:
        """Those that are started."""
        return {*self.changed, *self.new}

    @property
    def going(self) -> Sequence[str]:
        """Those that are ended."""
        return [*self.changed, *self.gone]


def difference(olds: Sequence[Route], routes: Sequence[Route]) -> Difference:
    """How some routes differ from others; raises DefinitionError for two of one name."""
    before = {route.name: route for route in olds}
    names = [route.name for route in routes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DefinitionError(f"there are two routes '{twice}'", hint="give one of them another name")
    return Difference(
        changed=[route.name for route in routes if route.name in before and not same(before[route.name], route)],
        new=[name for name in names if name not in before],
        gone=[name for name in before if name not in names],
    )


class Replacing:
    """Exchanges the runners of one service; `runners` is its list, and is changed in place.

    `leaving` are those that were exchanged or taken out, and are still at work. `order` lets runners wait for each
    other at their start, `quiet` waits until a runner has nothing to do.
    """

    def __init__(
        self,
        runners: list[Runner],
        services: Services,
        activity: Activity,
        tasks: TaskGroup,
        order: Callable[[Sequence[Runner]], None],
        quiet: Callable[[Runner], Any],
    ) -> None:
        self.leaving: list[Runner] = []
        self._runners = runners
        self._services = services
        self._activity = activity
        self._tasks = tasks
        self._order = order
        self._quiet = quiet

    def begin(self, routes: Sequence[Route]) -> tuple[Difference, Sequence[Runner]]:
        """Let the routes be exchanged, and say which, with their new runners; does not wait for any.

        Raises DefinitionError for a route that cannot work beside the others: then nothing is touched.
        """
        olds = {runner.route.name: runner for runner in self._runners}
        found = difference([runner.route for runner in self._runners], routes)
        if not found.fresh and not found.gone:
            return found, ()
        services = self._tried(found, routes, olds)
        if services.holds and not self._services.holds:  # what is taken now is to be held by all that bring messages
            found = replace(found, changed=[route.name for route in routes if route.name in olds])
            self._tried(found, routes, olds)
        return found, self._exchanged(found, routes, olds)

    def _tried(self, found: Difference, routes: Sequence[Route], olds: Mapping[str, Runner]) -> Services:
        """Bind what is to start, apart from all that runs; raises DefinitionError."""
        apart = {"controls": Controls(), "figures": Figures(), "observations": None}
        services = replace(self._services, named=self._services.named.without(found.going), **apart)
        runners = [
            Runner(route, services, self._activity) if route.name in found.fresh else olds[route.name]
            for route in routes
        ]
        self._order(runners)
        return services

    def _exchanged(self, found: Difference, routes: Sequence[Route], olds: Mapping[str, Runner]) -> Sequence[Runner]:
        held = {name: self._services.named.of(name) for name in found.going}
        self._services.named = self._services.named.without(found.going)
        fresh = {
            route.name: Runner(route, self._services, self._activity) for route in routes if route.name in found.fresh
        }
        self._runners[:] = [fresh.get(route.name) or olds[route.name] for route in routes]
        self._order(self._runners)
        going = [olds[name] for name in found.going]
        self.leaving += going
        for name, runner in fresh.items():
            states = self._services.named.of(name)
            awaited = [
                old for old in self.leaving if _collide(old, runner) or _remade(held.get(old.route.name, {}), states)
            ]
            runner.comes_instead_of(awaited, olds.get(name))
        readers = {runner.address: runner for runner in self._runners if runner.internal}
        for old in going:
            old.gives_way(fresh.get(old.route.name) or readers.get(old.address))
        for old, first in _ranked(going, self.leaving):
            self._tasks.start_soon(self._leave, old, first, old.address in readers)
        for runner in fresh.values():
            self._tasks.start_soon(runner.run)
        return list(fresh.values())

    async def _leave(self, old: Runner, first: Sequence[Runner], read: bool) -> None:
        """End a version after the callers that end too; what nobody will read any more is worked off before."""
        for caller in first:
            await caller.ended.wait()
        if old.internal and not read:
            await self._quiet(old)
        old.end()
        await old.ended.wait()
        self.leaving.remove(old)
        if all(runner.route.name != old.route.name for runner in self._runners):
            self._services.controls.forget(old.route.name)

    async def done(self, fresh: Sequence[Runner], found: Difference, within: float) -> Sequence[str]:
        """Wait until all are exchanged, for so many seconds; a line for each route that was touched."""
        going = [old for old in self.leaving if old.route.name in found.gone]
        with anyio.move_on_after(within):
            for runner in fresh:
                await either(runner.tried, runner.ended)
            for old in going:
                await old.ended.wait()
        return _told(fresh, going, found)


def _told(fresh: Sequence[Runner], going: Sequence[Runner], found: Difference) -> Sequence[str]:
    late = {runner.route.name for runner in fresh if not (runner.tried.is_set() or runner.ended.is_set())}
    at_work = {runner.route.name: runner.counts.in_flight for runner in (*fresh, *going)}

    def line(name: str, done: str, waits: bool, what: str) -> str:
        return f"{name}: {done}, once {at_work[name]} in flight in the {what} are done" if waits else f"{name}: {done}"

    changed = [line(name, "exchanged", name in late, "version before") for name in found.changed]
    new = [line(name, "started", name in late, "route before it") for name in found.new]
    left = {old.route.name for old in going if not old.ended.is_set()}
    return [*changed, *new, *(line(name, "ended", name in left, "route") for name in found.gone)]


def _collide(old: Runner, fresh: Runner) -> bool:
    """Whether both at once might have a message twice, or be in each other's way."""
    return (
        old.route.name == fresh.route.name
        or old.address == fresh.address
        or bool(old.source.clashes(fresh.source) or fresh.source.clashes(old.source))
        or not {*old.states}.isdisjoint(fresh.states)
    )


def _remade(held: _States, states: _States) -> bool:
    """Whether a limit that both have is another one now: they would have it twice."""
    return any(key in states and states[key] is not state for key, state in held.items())


def _ranked(going: Sequence[Runner], leaving: Sequence[Runner]) -> Sequence[tuple[Runner, Sequence[Runner]]]:
    """Each with those of the others that it waits for, since they call it; a circle of calls is cut somewhere."""
    calls = {old: [other for other in going if other is not old and other.address in old.feeds] for old in going}
    order = levels({old.route.name: [other.route.name for other in calls[old]] for old in going})
    rank = {name: number for number, level in enumerate(order) for name in level}
    earlier = [old for old in leaving if old not in going]
    return [
        (
            old,
            [one for one in going if old in calls[one] and rank[one.route.name] > rank[old.route.name]]
            + [one for one in earlier if old.address in one.feeds],
        )
        for old in going
    ]
