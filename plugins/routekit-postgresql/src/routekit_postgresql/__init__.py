"""PostgreSQL as the store of RouteKit: `store = "postgresql://user:password@host/database"`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from routekit import Store, hookimpl

from .store import open_postgresql as open_postgresql

routekit_interface = 1
"""The plugin interface that this is written for."""


@hookimpl
def register_stores() -> Mapping[str, Callable[..., AbstractAsyncContextManager[Store]]]:
    """The store of the kind `postgresql`."""
    return {"postgresql": open_postgresql}
