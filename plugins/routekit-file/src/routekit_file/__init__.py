"""Files and folders as endpoints of RouteKit: `file:` as a source and as a sink."""

from routekit import Endpoint, hookimpl

from .sink import FileSink as FileSink
from .source import FileSource as FileSource

routekit_interface = 1
"""The plugin interface that this is written for."""


@hookimpl
def register_endpoints() -> list[type[Endpoint]]:
    """The source and the sink of the scheme `file`."""
    return [FileSource, FileSink]
