"""Every hook of RouteKit on one page.

A plugin is a module with functions marked `@hookimpl`, named by an entry point of the group `routekit`:

    [project.entry-points.routekit]
    spool = "routekit_spool"

The entry point's name says what the module offers, so that it is imported only when that is asked for:
`spool` the scheme of an endpoint, `codec.avro` a codec, `store.redis` a store, `hook.audit` one that watches
every event and is always loaded. A module that offers several has one entry point for each.
An implementation takes only the arguments that it names.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pluggy

from .codec import Codec
from .endpoint import Endpoint
from .events import Event
from .store import Store
from .twin import Twin

GROUP = "routekit"
"""The name of the entry point group, and of the project in pluggy."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

StoreFactory: TypeAlias = Callable[[str, Mapping[str, Any], Callable[[], float]], AbstractAsyncContextManager[Store]]
"""`factory(path, options, now)`: a context manager that opens the store of the URI `kind:path?options`."""


@hookspec
def register_endpoints() -> Sequence[type[Endpoint]]:  # pyright: ignore[reportReturnType]  # a specification has no body
    """The endpoint classes of this plugin: for each scheme one source, one sink, or one of each."""


@hookspec
def register_codecs() -> Sequence[type[Codec]]:  # pyright: ignore[reportReturnType]  # as above
    """The codec classes of this plugin."""


@hookspec
def register_stores() -> Mapping[str, StoreFactory]:  # pyright: ignore[reportReturnType]  # as above
    """The stores of this plugin, by the kind that `store = "kind:path"` names."""


@hookspec
def register_twins() -> Mapping[str, type[Twin]]:  # pyright: ignore[reportReturnType]  # as above
    """How endpoints of this plugin behave in memory, by scheme, for tests; without it, as `Twin` itself."""


@hookspec
def route_event(event: Event) -> None:
    """Called for every event, in the event loop: keep it short. An error in it is logged, and the route goes on."""
