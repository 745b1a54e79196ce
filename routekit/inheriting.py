"""Inheriting: what a process that has died kept in groups goes on in another one, without a start.

A store that several processes share tells of a death. Then the steps that keep messages look at what there is, and take
up what nobody has any more; as each group is closed by one process alone, it goes on once, whoever looks.
"""

from collections.abc import Awaitable, Callable

import anyio

from .errors import StoreError
from .events import Logged
from .step import Runtime
from .store import Shared

_AGAIN = 1.0
"""Seconds until the store is asked again that has failed to answer."""


def whenever_one_dies(runtime: Runtime, name: str, look: Callable[[], Awaitable[None]]) -> bool:
    """Await `look` after each change of who is alive, as long as the route runs; only while binding.

    False if the store is for one process, or keeps nothing: then nobody looks.
    """
    store = runtime.store
    if not (isinstance(store, Shared) and store.durable):
        return False

    async def watch() -> None:
        while True:
            news = store.changed("groups", name)
            try:
                await look()
            except StoreError as error:
                text = f"what other processes have left in {name} cannot be looked at for now: {error}"
                runtime.emit(Logged(runtime.route, "warning", text))
                await anyio.sleep(_AGAIN)
                continue
            await news.wait()

    runtime.spawn(watch)
    return True
