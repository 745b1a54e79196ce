"""How long a store keeps what it need not keep for ever, and the sweeping that forgets the rest."""

import logging
from collections.abc import Callable, Mapping

import anyio
from pydantic import BaseModel, ConfigDict, Field

from .errors import StoreError
from .store import Store
from .units import Seconds

_log = logging.getLogger("routekit")

FIRST = 60.0
"""Seconds from the start of the service to the first sweep: what is left from before is at work until then."""

EVERY = 3600.0
"""Seconds from one sweep to the next."""

_DAY = 86400.0


class Retention(BaseModel):
    """The table `[retention]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    letters: Seconds | None = Field(
        default=None, gt=0, description="how long dead letters are kept; unset: until somebody decides"
    )
    keys: Seconds | None = Field(
        default=None,
        gt=0,
        description="how long keys that are done are remembered, for all names; unset: as long as the routes say",
    )
    traces: Seconds = Field(
        default=_DAY, gt=0, description="how long traces of messages are kept, where the route says nothing"
    )
    audit: Seconds | None = Field(
        default=400 * _DAY, gt=0, description="how long it is known what operators did; unset: 400 days"
    )


async def swept(store: Store, retention: Retention, now: float) -> Mapping[str, int]:
    """Forget what is older than its kind is kept, and ids whose time is over; returns how many of each kind."""
    counts = {"letters": 0, "keys": 0, "finished": 0, "audit": 0}
    for held in await store.contents():
        if held.kind == "keys" and retention.keys is not None:
            counts["keys"] += await store.keys(held.name).prune(before=now - retention.keys)
        elif held.kind == "finished":
            counts["finished"] += await store.journal(held.name).prune(before=now)
    if retention.letters is not None:
        counts["letters"] = await store.letters.prune(before=now - retention.letters)
    if retention.audit is not None:
        counts["audit"] = await store.audit.prune(before=now - retention.audit)
    return counts


async def sweep(store: Store, retention: Retention, now: Callable[[], float]) -> None:
    """Forget from time to time, until cancelled; dead letters that are forgotten are told in the log."""
    await anyio.sleep(FIRST)
    while True:
        try:
            counts = await swept(store, retention, now())
        except StoreError as error:  # the next sweep does what this one could not
            _log.warning("the store could not be swept: %s", error)
        else:
            if counts["letters"]:
                _log.info("%d dead letters were older than [retention] letters, and are forgotten", counts["letters"])
        await anyio.sleep(EVERY)
