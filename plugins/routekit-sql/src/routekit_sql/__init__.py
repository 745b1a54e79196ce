"""SQL databases for RouteKit: `sql:connection/table`."""

from collections.abc import Sequence

from routekit import Endpoint, hookimpl

from .settings import ConnectionSettings as ConnectionSettings
from .sink import SqlSink as SqlSink
from .source import SqlSource as SqlSource
from .transactor import SqlTransactor as SqlTransactor

routekit_interface = 1
"""The plugin interface that this is written for."""


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """The source, the sink and the place of transactions of the scheme `sql`."""
    return [SqlSource, SqlSink, SqlTransactor]
