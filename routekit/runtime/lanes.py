"""Lanes: deliveries with equal keys are handled one after the other, whatever else is in flight."""

from collections import deque
from collections.abc import Callable
from typing import Any

from anyio.abc import TaskGroup

from ..fitting import Fit
from ..message import Delivery


class Lanes:
    """Starts deliveries as tasks; those with equal keys run one after the other, in the order of their arrival.

    The key is computed from the body that `fitted` makes; a delivery for which that fails goes the way of failed ones.
    """

    def __init__(self, key: Callable[[Any], object] | None, fitted: Fit) -> None:
        self._key = key
        self._fitted = fitted
        self._lanes: dict[object, deque[Delivery[Any]]] = {}

    def start(self, delivery: Delivery[Any], flight: TaskGroup, settle: Callable[[Delivery[Any]], Any]) -> None:
        if self._key is None or delivery.error is not None:
            flight.start_soon(settle, delivery)
            return
        try:
            key = self._key(self._fitted(delivery.message.body))
            lane = self._lanes.get(key)
        except Exception as error:  # the author's function, or a body that does not fit
            flight.start_soon(settle, Delivery(delivery.message, delivery.ack, delivery.nack, error))
            return
        if lane is not None:
            lane.append(delivery)
            return
        self._lanes[key] = deque([delivery])
        flight.start_soon(self._run, key, settle)

    async def _run(self, key: object, settle: Callable[[Delivery[Any]], Any]) -> None:
        lane = self._lanes[key]
        while lane:
            await settle(lane.popleft())
        del self._lanes[key]
