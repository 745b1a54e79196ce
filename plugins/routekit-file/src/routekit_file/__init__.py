"""Files and folders as endpoints of RouteKit: `file:` as a source and as a sink."""

from routekit import Endpoint, hookimpl

from .sink import FileSink as FileSink
from .source import FileSource as FileSource


@hookimpl
def register_endpoints() -> list[type[Endpoint]]:
    """The source and the sink of the scheme `file`."""
    return [FileSource, FileSink]
