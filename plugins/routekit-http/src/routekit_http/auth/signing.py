"""The contract of logging in: a signer adds credentials to requests, and may get new ones when they are refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import httpx
from pydantic import BaseModel, ConfigDict

from routekit import Store


class Signer(Protocol):
    """Adds credentials to the requests of one connection."""

    async def sign(self, request: httpx.Request) -> None:
        """Add the credentials; raises HttpUnavailable if there are none to be had."""
        ...

    async def renew(self, request: httpx.Request) -> bool:
        """The request was answered 401: get other credentials than it has, if that is possible."""
        ...


@dataclass(frozen=True)
class Desk:
    """What a signer may ask for: the connection's own client, wall time in seconds since 1970, state, chance."""

    connection: str
    client: httpx.AsyncClient
    now: Callable[[], float]
    store: Store
    random: Random = field(default_factory=Random)


class AuthSettings(BaseModel):
    """Base of the tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def signer(self, desk: Desk) -> Signer:
        """The signer by this table."""
        raise NotImplementedError
