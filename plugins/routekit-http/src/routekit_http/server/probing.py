"""Whether an address can be served: it is taken, and given back at once."""

from routekit import Runtime

from .serving import bound_to, certified
from .settings import server_settings


def serveable(runtime: Runtime, scheme: str, host: str, port: int) -> str:
    """Where could be served; raises Unavailable if somebody has the address, DefinitionError for wrong settings."""
    where = f"{scheme}:{host}:{port}"
    certified(scheme, host, port, server_settings(runtime, host, port))
    bound_to(host, port, where).close()
    return f"{where} is free"
