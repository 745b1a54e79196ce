"""Counting deliveries: a message that kills whoever handles it must not do so for ever."""

from collections.abc import Mapping
from typing import Any, cast

from aiormq.abc import DeliveredMessage

from routekit import Marks, Rejected, Store


class Deliveries:
    """How often messages have come to be handled.

    Those that come again are counted in the store, under their message id, when they are handed out: what was only
    prefetched when a process died is not to blame. Where that cannot be, since a message has no id or the store does
    not outlive the process, the count of a quorum queue is taken, which counts both; other queues do not count.
    """

    def __init__(self, most: int, store: Store, name: str) -> None:
        self._most = most
        self._marks: Marks = store.marks(name)
        self._durable = store.durable
        self._counted: set[str] = set()

    async def count(self, delivered: DeliveredMessage) -> int:
        """The number of this delivery of its message, from 1."""
        if not delivered.redelivered:
            return 1
        properties = delivered.header.properties
        headers = cast("Mapping[str, Any] | None", properties.headers)
        counted = headers.get("x-delivery-count") if headers else None
        known_as = properties.message_id
        if isinstance(counted, int) and not (known_as and self._durable):
            return counted + 1
        if not known_as or not self._most:
            return 2
        number = int(await self._marks.get(known_as) or 1) + 1
        await self._marks.put(known_as, str(number))
        self._counted.add(known_as)
        return number

    def excess(self, number: int) -> Rejected | None:
        """The error of a message that has come too often."""
        if not self._most or number <= self._most:
            return None
        reason = f"delivered {number} times, and never finished"
        return Rejected(reason, hint=f"deliveries={self._most} is the limit; does it end the process?")

    async def forget(self, delivered: DeliveredMessage) -> None:
        """The message is settled: what was counted for it is no longer needed."""
        known_as = delivered.header.properties.message_id
        if known_as in self._counted:
            self._counted.discard(known_as)
            await self._marks.delete(known_as)
