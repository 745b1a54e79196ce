"""The store, as a tool may use it beside a service that runs on the same one.

Keys, marks and values are safe: they are claimed, or written whole. What waits in the store for a time or for others
is not, as the timers for it are in the service's memory: a group that a tool began would lie until the next start. So
a tool that needs such state has to be the only service for as long as it works.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, cast

from ..errors import DefinitionError, StoreError
from ..store import Exclusive, Store

_WAITING = {
    "groups": "keeps messages that wait (aggregate, delay, resequence and their like)",
    "journal": "keeps a journal",
    "outbox": "fills an outbox",
}


@contextmanager
def beside(store: Store) -> Generator[Store]:
    """The store for as long as the block lasts.

    Raises DefinitionError where a route asks it for what waits, while another service runs on it; where it may have
    that, no other service can start until the end of the block.
    """
    if not isinstance(store, Exclusive):
        yield store
        return
    with ExitStack() as held:
        yield cast("Store", _Beside(store, held))


class _Beside:
    """A store that becomes the only service's when it is asked for what only that may use."""

    def __init__(self, store: Store, held: ExitStack) -> None:
        self._store = store
        self._held = held
        self._alone = False

    def __getattr__(self, name: str) -> Any:
        return partial(self._opened, name) if name in _WAITING else getattr(self._store, name)

    def _opened(self, kind: str, state: str) -> Any:
        store = self._store
        if not self._alone and isinstance(store, Exclusive):
            try:
                self._held.enter_context(store.serving())
            except StoreError as other:
                found = f"the route {_WAITING[kind]}, named '{state}': {other.message}"
                hint = "stop the service, replay, and start it again; letters of other routes need not wait for that"
                raise DefinitionError(found, hint=hint) from other
            self._alone = True
        return getattr(store, kind)(state)
