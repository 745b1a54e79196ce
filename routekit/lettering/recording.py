"""What operators do is written down, and no two of them work at one letter at a time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..console import one_line
from ..errors import Unavailable
from ..letter import Letter
from ..options import masked
from ..runtime.service import Setup
from ..store import Claim, Deed, Store

NAME = "routekit.letters"
"""The keys of the store by which letters are claimed, and the action that begins what the audit says of them."""

LEASE = 600.0
"""Seconds for which an operation may own a letter, should its process die in a way that the store cannot see."""


async def written(store: Store, setup: Setup, who: str, action: str, what: str, details: str = "") -> None:
    """Add to the audit what somebody did."""
    text = one_line(masked(details))
    await store.audit.add(Deed(setup.now(), who, f"letters.{action}", what, text))


@asynccontextmanager
async def owned(store: Store, id: str) -> AsyncGenerator[Letter | None]:
    """The letter as it is now, which no other process changes or replays meanwhile; None if it is gone.

    Raises Unavailable while another process has it. Within one process letters are not kept apart.
    """
    keys = store.keys(NAME)
    if await keys.claim(id, owner=store.owner, lease=LEASE) is not Claim.MINE:
        hint = f"wait until that is done; if it was killed, for {LEASE:.0f} s at most"
        raise Unavailable(f"another process works at letter {id}", hint=hint)
    try:
        yield await store.letters.get(id)
    finally:
        await keys.release(id, owner=store.owner)
