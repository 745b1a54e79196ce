"""Every hook of RouteKit on one page.

A plugin is a module with functions marked `@hookimpl`, named by an entry point of the group `routekit`:

    [project.entry-points.routekit]
    spool = "routekit_spool"

The entry point's name says what the module offers, so that it is imported only when that is asked for:
`spool` the scheme of an endpoint, `codec.avro` a codec, `store.redis` a store, `secret.vault` who gives the secrets
`${vault:...}`, `command.ledger` what stands after `routekit`, `hook.audit` one that watches every event and is always
loaded. A module that offers several has one entry point for each.
An implementation takes only the arguments that it names. A module says `routekit_interface = 1`, the version of this
interface that it is written for: one that does not fit is told so when it is asked for, and not somewhere inside.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

import pluggy

from .codec import Codec
from .endpoint import Endpoint
from .events import Event
from .observing import Observer
from .route import Route
from .secret import SecretProvider
from .store import Store
from .twin import Twin

if TYPE_CHECKING:
    from typer import Typer

GROUP = "routekit"
"""The name of the entry point group, and of the project in pluggy."""

INTERFACE = 1
"""The version of the plugin interface: raised when something is taken away from it, or means something else."""

OLDEST = 1
"""The oldest version of the interface that is still held."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

StoreFactory: TypeAlias = Callable[[str, Mapping[str, Any], Callable[[], float]], AbstractAsyncContextManager[Store]]
"""`factory(path, options, now)`: a context manager that opens the store of the URI `kind:path?options`."""


@hookspec
def register_endpoints() -> Sequence[type[Endpoint]]:  # pyright: ignore[reportReturnType]  # a specification has no body
    """The endpoint classes of this plugin: for each scheme one source, sink and place of transactions at most."""


@hookspec
def register_codecs() -> Sequence[type[Codec]]:  # pyright: ignore[reportReturnType]  # as above
    """The codec classes of this plugin."""


@hookspec
def register_stores() -> Mapping[str, StoreFactory]:  # pyright: ignore[reportReturnType]  # as above
    """The stores of this plugin, by the kind that `store = "kind:path"` names."""


@hookspec
def register_secrets() -> Mapping[str, type[SecretProvider]]:  # pyright: ignore[reportReturnType]  # as above
    """Who gives secrets, by the name that stands in `${name:reference}`: small letters, digits and `_`."""


@hookspec
def register_twins() -> Mapping[str, type[Twin]]:  # pyright: ignore[reportReturnType]  # as above
    """How endpoints of this plugin behave in memory, by scheme, for tests; without it, as `Twin` itself."""


@hookspec
def register_commands() -> "Mapping[str, Typer]":  # pyright: ignore[reportReturnType]  # as above
    """The commands of this plugin, by the name that stands after `routekit`: applications of typer, of one or several.

    The plugin is named by an entry point `command.NAME`. `routekit --help` lists it with the summary of its
    distribution, up to the first full stop, colon or semicolon, and imports nothing. What a command needs is in
    `routekit.commanding`; a RouteKitError that it raises is told as the commands of the core tell it.
    """


@hookspec
def route_event(event: Event) -> None:
    """Called for every event, in the event loop: keep it short. An error in it is logged, and the route goes on."""


@hookspec
def observe_route(route: Route) -> Observer | None:
    """Who observes the messages of a route from its start on, or None; asked once for each route of a service.

    The plugin is named by an entry point `hook.name`, so that it is always loaded. An error is logged, and the route
    runs unobserved.
    """


def misfit(plugin: object) -> tuple[str, str] | None:
    """Why a plugin does not fit this version of the interface, and what to do; or None. What says nothing fits."""
    wanted = getattr(plugin, "routekit_interface", INTERFACE)
    if not isinstance(wanted, int):
        return f"says routekit_interface = {wanted!r}", f"write a number, {INTERFACE}"
    if wanted > INTERFACE:
        return f"is written for interface {wanted} of RouteKit, and this one has {INTERFACE}", "upgrade routekit-eip"
    if wanted < OLDEST:
        return f"is written for interface {wanted} of RouteKit, and {OLDEST} is the oldest held", "upgrade the plugin"
    return None
