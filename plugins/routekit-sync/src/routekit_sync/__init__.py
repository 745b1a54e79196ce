"""Two-way synchronisation for RouteKit: two shadows for each link, durable intents, provable convergence."""

from routekit import Endpoint, hookimpl

from .folder import FolderRemote as FolderRemote
from .mapped import units_of as units_of
from .pair import Brake as Brake
from .pair import Breaker as Breaker
from .pair import Deleted as Deleted
from .pair import Match as Match
from .pair import Outside as Outside
from .pair import Retrying as Retrying
from .pair import SyncPair as SyncPair
from .record_sink import RecordSink as RecordSink
from .record_source import RecordSource as RecordSource
from .sink import SyncSink as SyncSink
from .source import SyncSource as SyncSource
from .summary import Summary as Summary
from .telling import Trouble as Trouble
from .units import Clash as Clash
from .units import Decision as Decision
from .units import Rule as Rule
from .units import Side as Side
from .units import Unit as Unit

routekit_interface = 1
"""The plugin interface that this is written for."""


@hookimpl
def register_endpoints() -> list[type[Endpoint]]:
    """The sources and the sinks of the schemes `sync` and `records`."""
    return [SyncSource, SyncSink, RecordSource, RecordSink]
