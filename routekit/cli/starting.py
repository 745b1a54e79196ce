"""Starting: Python's look for garbage waits until the routes have started.

What a start makes is there to stay. To look through it again and again, as it grows, takes longer than the start.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager

import anyio

from ..runtime.service import Service

OVER = 30.0
"""Seconds after which a start is taken as over, whatever some routes still wait for."""


@contextmanager
def undisturbed() -> Generator[None]:
    """Look for no garbage inside it until `settle` has ended."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def settle(service: Service) -> None:
    """Once all routes have tried to start, look for garbage again, but not among what is there by then."""
    with anyio.move_on_after(OVER):
        while not service.runners:
            await anyio.sleep(0.01)
        for runner in service.runners:
            await runner.tried.wait()
    gc.freeze()
    gc.enable()
