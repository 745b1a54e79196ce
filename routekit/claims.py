"""Claims: a key is at work in one place at a time, among the messages of this process and among processes."""

from collections.abc import Awaitable, Callable
from math import inf
from typing import TypeVar

import anyio

from .errors import StoreError, Unavailable
from .step import Runtime
from .store import Claim

R = TypeVar("R")

_OFTEN = 3600.0
"""Seconds between two looks for keys that are old enough to be forgotten."""


class Claims:
    """The keys under one name of the store, as one step of a route works on them."""

    def __init__(
        self, name: str, lease: float, runtime: Runtime, *, remember: float | None = None, renewed: bool = False
    ) -> None:
        """A key that was done is forgotten after `remember` seconds; None: never.

        With `renewed`, the lease of a key at work is prolonged for as long as the work takes.
        """
        self._name = name
        self._keys = runtime.store.keys(name)
        self._owner = f"{runtime.store.owner}/{runtime.route}"
        self._lease = lease
        self._remember = remember
        self._forgot = -inf  # when
        self._runtime = runtime
        self._here: dict[str, anyio.Event | None] = {}  # the keys at work; the event is there once a twin waits
        if renewed:
            runtime.spawn(self._renew)

    async def once(self, key: str, work: Callable[[], Awaitable[R]]) -> R | None:
        """What `work` gives; the key is done then, and free again if it raises. None if the key was done before.

        A twin that is at work is waited for: what becomes of it decides. A crash leaves a claim that the next process
        takes over, or that runs out.
        """
        if self._remember is not None:
            await self._forget(self._remember)
        while key in self._here:
            twin = self._here[key] = self._here[key] or anyio.Event()
            await twin.wait()
        self._here[key] = None
        try:
            if not await self._claimed(key):
                return None
            return await self._owned(key, work)
        finally:
            waited = self._here.pop(key)
            if waited is not None:
                waited.set()

    async def still_mine(self, key: str) -> None:
        """Begin the lease of a key at work anew; raises Unavailable if another process has taken it over."""
        if await self._claim(key) is not Claim.MINE:
            raise Unavailable(f"{self._name}: another process has taken over '{key}'", hint="raise `lease`")

    async def _forget(self, remember: float) -> None:
        now = self._runtime.now()
        if now - self._forgot >= min(_OFTEN, remember):
            self._forgot = now
            await self._keys.prune(before=now - remember)

    async def _claim(self, key: str) -> Claim:
        return await self._keys.claim(key, owner=self._owner, lease=self._lease)

    async def _claimed(self, key: str) -> bool:
        wait = 0.05
        while (claim := await self._claim(key)) is Claim.HELD:
            await anyio.sleep(self._runtime.random.uniform(wait / 2, wait))  # held by another process
            wait = min(wait * 2, 5.0)
        return claim is Claim.MINE

    async def _owned(self, key: str, work: Callable[[], Awaitable[R]]) -> R:
        try:
            result = await work()
        except Exception:
            await self._keys.release(key, owner=self._owner)
            raise
        await self._keys.complete(key, owner=self._owner)
        return result

    async def _renew(self) -> None:
        while True:
            await anyio.sleep(self._lease / 3)
            for key in list(self._here):
                try:
                    await self._prolong(key)
                except StoreError:  # there is time for another try, and who works on the key will find out
                    break

    async def _prolong(self, key: str) -> None:
        if key not in self._here:
            return
        await self._claim(key)
        if key not in self._here:  # it was released meanwhile, and this claim would hold up others
            await self._keys.release(key, owner=self._owner)
