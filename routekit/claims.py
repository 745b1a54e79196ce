"""Claims: a key is at work in one place at a time, among the messages of this process and among processes."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from math import inf
from typing import TypeAlias, TypeVar

import anyio

from .errors import StoreError, Unavailable
from .step import Hold, Runtime
from .store import Claim

R = TypeVar("R")

After: TypeAlias = Callable[[], Awaitable[None]] | None
"""What is awaited when a key is done."""

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
        self._keep = runtime.keeping()
        self._held: dict[str, list[Hold]] = {}  # the keys whose message, with its twins, is held behind this step
        self._ending = 0  # so many of them are held no more, but not written yet
        self._ended = anyio.Event()
        if self._keep is not None:
            runtime.closing(self._close)
        if renewed:
            runtime.spawn(self._renew)

    async def once(self, key: str, work: Callable[[], Awaitable[R]], *, after: After = None) -> R | None:
        """What `work` gives; the key is done then, and free again if it raises. None if the key was done before.

        What is held in memory behind it is not done before its holds have ended. A twin that is at work is waited for,
        and one that is held is joined: what becomes of it decides. A crash leaves a claim that the next process takes
        over, or that runs out. `after` is awaited when the key is done, also if it was before.
        """
        if self._remember is not None:
            await self._forget(self._remember)
        while key in self._here:
            twin = self._here[key] = self._here[key] or anyio.Event()
            await twin.wait()
        if key in self._held:
            return self._join(key)
        self._here[key] = None
        try:
            if await self._claimed(key):
                return await self._owned(key, work, after)
            if after is not None:
                await after()
            return None
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

    async def _owned(self, key: str, work: Callable[[], Awaitable[R]], after: After) -> R:
        with nullcontext() if self._keep is None else self._keep() as kept:
            try:
                result = await work()
            except Exception:
                await self._keys.release(key, owner=self._owner)
                raise
        if kept is not None and kept.used:
            self._held[key] = [kept.hold()]
            kept.when_settled(partial(self._settled, key, after))
        else:
            await self._complete(key, after)
        return result

    async def _complete(self, key: str, after: After) -> None:
        await self._keys.complete(key, owner=self._owner)
        if after is not None:
            await after()

    def _join(self, key: str) -> None:
        """Hold a twin of what is held: both are done then, or both are refused."""
        assert self._keep is not None
        with self._keep() as kept:
            self._held[key].append(kept.hold())

    def _settled(self, key: str, after: After, error: Exception | None) -> None:
        """All that is held behind this step has ended."""
        if error is None:
            for hold in self._held[key]:
                hold.done()
        self._ending += 1
        self._runtime.spawn(partial(self._end, key, after, error))

    async def _end(self, key: str, after: After, error: Exception | None) -> None:
        if error is None:
            await self._complete(key, after)
        else:  # before its source is told, which may bring it again at once
            await self._keys.release(key, owner=self._owner)
        for hold in self._held.pop(key):  # ended before, but for twins that came meanwhile
            hold.done() if error is None else hold.failed(error)
        self._ending -= 1
        self._ended.set()

    async def _close(self) -> None:
        """Wait until what is held no more is written."""
        while self._ending:
            self._ended = anyio.Event()
            await self._ended.wait()

    async def _renew(self) -> None:
        while True:
            await anyio.sleep(self._lease / 3)
            for key in [*self._here, *self._held]:
                try:
                    await self._prolong(key)
                except StoreError:  # there is time for another try, and who works on the key will find out
                    break

    async def _prolong(self, key: str) -> None:
        if not self._at_work(key):
            return
        await self._claim(key)
        if not self._at_work(key):  # it was released meanwhile, and this claim would hold up others
            await self._keys.release(key, owner=self._owner)

    def _at_work(self, key: str) -> bool:
        return key in self._here or key in self._held
