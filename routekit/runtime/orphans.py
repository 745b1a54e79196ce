"""Orphans: what the journals hold of routes that are gone, or are not durable any more. Nobody would take it up."""

from collections.abc import Callable, Collection

from ..errors import StoreError
from ..events import Event, Logged
from ..store import Store

_QUEUE = "queue:"


async def tell_of_orphans(store: Store, journaled: Collection[str], tell: Callable[[Event], None]) -> None:
    """Say which journals hold messages of a route that is not among those that are `journaled` here."""
    try:
        held = await store.contents()
    except StoreError:  # it is told by whoever needs the store
        return
    for one in held:
        if one.kind == "journal" and one.count and one.name not in journaled and not one.name.startswith(_QUEUE):
            found = f"the journal has {one.count} messages of route '{one.name}', which is not here as a durable one"
            hint = "bring the route back under that name, and they go on"
            tell(Logged(one.name, "warning", f"{found}; {hint}"))
