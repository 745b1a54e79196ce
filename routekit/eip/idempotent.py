"""Idempotent Receiver: a message whose key was done before ends here, acknowledged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from ..callables import called, calling
from ..keys import key_text
from ..message import Message
from ..step import Handler, Runtime, Step
from ..store import Claim

T = TypeVar("T")


@dataclass(frozen=True)
class Idempotent(Step[T, T]):
    """EIP "Idempotent Receiver".

    The key is claimed for `lease` seconds, the rest of the route runs, then the key is done; if the rest fails, the
    claim is released. A crash in between leaves a claim that runs out: the message is processed again, not skipped.
    A twin that is in flight is waited for: what becomes of it decides.
    """

    name: str
    key: Callable[..., Any]
    lease: float = 300.0

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        key_of = calling(self.key)
        keys = runtime.store.keys(self.name)
        owner = f"{runtime.store.owner}/{runtime.route}"
        here: dict[str, anyio.Event | None] = {}  # the keys in flight; the event is there once a twin waits

        async def handle(message: Message[T]) -> Message[Any] | None:
            key = key_text(await called(key_of, message), self.key)
            while key in here:
                twin = here[key] = here[key] or anyio.Event()
                await twin.wait()
            here[key] = None
            try:
                if not await claimed(key):
                    return None
                return await owned(key, message)
            finally:
                waited = here.pop(key)
                if waited is not None:
                    waited.set()

        async def claimed(key: str) -> bool:
            wait = 0.05
            while (claim := await keys.claim(key, owner=owner, lease=self.lease)) is Claim.HELD:
                await anyio.sleep(runtime.random.uniform(wait / 2, wait))  # held by another process
                wait = min(wait * 2, 5.0)
            return claim is Claim.MINE

        async def owned(key: str, message: Message[T]) -> Message[Any] | None:
            try:
                reply = await proceed(message)
            except Exception:
                await keys.release(key, owner=owner)
                raise
            await keys.complete(key, owner=owner)
            return reply

        return handle

    @property
    def label(self) -> str:
        return f"idempotent({self.name})"

    def state(self) -> str | None:
        return self.name
