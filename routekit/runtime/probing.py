"""Probing: ask every endpoint of routes whether its other side is there, without running them."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from ..endpoint import Endpoint
from ..errors import RouteKitError
from ..options import masked
from ..route import Route
from ..scopes import clauses_of, policy_of, scopes_of
from ..step import Chain, finish
from .binding import RouteRuntime
from .services import Activity, Services

WITHIN = 10.0
"""Seconds that the other side has for its answer."""


@dataclass(frozen=True)
class Probed:
    """What one endpoint of a route found on its other side: `found` in a few words, or why it is not `there`."""

    route: str
    endpoint: str
    there: bool
    found: str
    hint: str = ""


async def probed(routes: Sequence[Route], services: Services, within: float = WITHIN) -> list[Probed]:
    """Every endpoint with another side, in the order of the routes; equal ones of one route once, all at the same time.

    Raises DefinitionError for a route that `check` refuses.
    """
    asked = [(runtime, endpoint) for route in routes for runtime, endpoint in _endpoints(route, services)]
    found: list[Probed | None] = [None] * len(asked)

    async def ask(number: int, runtime: RouteRuntime, endpoint: Endpoint) -> None:
        found[number] = await _probed(runtime, endpoint, within)

    async with anyio.create_task_group() as tasks:
        for number, (runtime, endpoint) in enumerate(asked):
            tasks.start_soon(ask, number, runtime, endpoint)
    return [one for one in found if one is not None]


def _endpoints(route: Route, services: Services) -> list[tuple[RouteRuntime, Endpoint]]:
    """The source, then what its steps, its dead letters and its rescues send to and read from, as they are written."""
    runtime = RouteRuntime(route, services, Activity())
    found: list[Endpoint] = [services.catalog.source(route.source)]
    scopes = scopes_of(route, services.policy)
    letters = policy_of(scopes).dead_letter
    rescues = [clause.rescue.branch for clause in clauses_of(scopes)]
    for chain in (route.chain, *([letters] if isinstance(letters, Chain) else []), *rescues):
        runtime.bind(chain, finish)
        found += [endpoint for endpoint in reversed(runtime.endpoints) if endpoint not in found]  # bound last to first
    return [(runtime, endpoint) for endpoint in found]


async def _probed(runtime: RouteRuntime, endpoint: Endpoint, within: float) -> Probed | None:
    where = masked(endpoint.uri())
    try:
        with anyio.fail_after(within):
            found = await endpoint.probe(runtime)
    except TimeoutError:
        return Probed(runtime.route, where, False, f"no answer within {within:g} s")
    except RouteKitError as error:
        return Probed(runtime.route, where, False, masked(error.message), masked(error.hint))
    except Exception as error:  # a stranger's endpoint may raise anything; who asked wants to know of all
        return Probed(runtime.route, where, False, masked(f"{type(error).__name__}: {error}"))
    return Probed(runtime.route, where, True, masked(found)) if found else None
