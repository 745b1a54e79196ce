"""Assembly: what a route needs to run once."""

from random import Random
from time import time
from typing import Any

import pytest

from routekit import DefinitionError, Policy, from_
from routekit.events import Counts
from routekit.plugins import Catalog
from routekit.route import Route
from routekit.runtime.assembly import Assembled, assembled
from routekit.runtime.services import Activity, Services
from routekit.scopes import clauses_of, policy_of, scopes_of
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed


def made(route: Route) -> Assembled:
    catalog, unused, scopes = Catalog(), None, scopes_of(route, Policy())
    store: Any = MemoryStore(time)
    services: Any = Services(
        catalog,
        store,
        unused,
        print,
        time,
        Random(1),
        None,
        Policy(),
        lambda table, name: None,  # type: ignore[arg-type]
    )
    source: Any = catalog.source(route.source)
    return assembled(route, source, policy_of(scopes), clauses_of(scopes), services, Activity(), Counts())


def test_each_place_where_messages_enter_has_a_way() -> None:
    """Parts, groups and branches, besides the way from the source."""
    flow = from_(Feed(), list).split(lambda ns: ns).aggregate("t", int, key=lambda n: n, size=2)
    assert len(made(flow.route("r")).brought) == 2
    assert len(made(from_(Feed(), int).log("x").route("r")).brought) == 0


def test_a_place_that_is_gone_is_refused() -> None:
    """A letter of an older version of the route says so, rather than enter somewhere else."""
    from dataclasses import replace

    route = replace(from_(Feed(), int).log("x").route("r"), entry=1)
    with pytest.raises(DefinitionError, match="has 0 places where parts enter, asked for 1"):
        made(route)
