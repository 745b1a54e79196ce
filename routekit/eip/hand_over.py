"""Queue hand-over: a message is put aside, and workers run the rest of the route while the source goes on."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic_core import from_json, to_json

from ..callables import called, calling, name_of
from ..conduct import PLAIN, Conduct
from ..demands import whole
from ..keeping import name_and_body_checked
from ..keys import key_text
from ..message import Message
from ..step import Handler, Onward, Runtime, Step
from ..store import Group
from ..waiting import Waiting, Workers

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class HandOver(Step[T, T]):
    """Camel's `threads` and `seda` within a route: what follows has its own pace, and its own workers."""

    keeps = True

    word = "hand_over"

    name: str
    body: Any
    workers: int = 1
    size: int = 1000
    order_by: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "hand_over")
        for option in ("workers", "size"):
            whole(f"hand_over '{self.name}': {option}", getattr(self, option))

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        return _Handing(self, proceed, runtime).handle

    def behaves(self) -> Conduct:
        if self.workers == 1:
            return PLAIN
        return Conduct(order="no" if self.order_by is None else "per key", key=self.order_by)

    @property
    def label(self) -> str:
        order = "" if self.order_by is None else f", order_by={name_of(self.order_by)}"
        return f"hand_over({self.name}, workers={self.workers}{order})"

    @property
    def onward(self) -> Onward:
        return "later"

    def state(self) -> str | None:
        return self.name


class _Handing:
    """The messages that one step hands over; those of one lane go on one after the other."""

    def __init__(self, step: HandOver[Any], proceed: Handler[Any], runtime: Runtime) -> None:
        self._order_by = step.order_by
        self._lane_of = None if step.order_by is None else calling(step.order_by)
        self._now = runtime.now
        self._lanes: dict[str, deque[int]] = {}  # those that wait for the one that is on its way
        self._of: dict[int, str] = {}  # the lane of each message that is its first
        self._waiting = Waiting(
            step.name, step.body, proceed, runtime, most=step.size, load=self._load, ring=self._ring
        )
        self._workers = Workers(step.workers, self._release, runtime)
        runtime.offer("stats", step.name, self.stats)

    async def handle(self, message: Message[Any]) -> None:
        """Keep a message for the workers; waits while there are too many."""
        lane = ""
        if self._lane_of is not None and self._order_by is not None:
            lane = key_text(await called(self._lane_of, message), self._order_by)
        key = to_json([lane, message.id]).decode()
        await self._waiting.loaded()
        await self._waiting.room_for(key)
        group = await self._waiting.keep(key, message)
        if group is not None:
            self._put(group.number, lane)

    async def stats(self) -> Mapping[str, Any]:
        """How many wait, and how many are worked on: `control:stats?name=...`."""
        return {"waiting": len(self._waiting.waiting), "working": self._waiting.going}

    def _put(self, number: int, lane: str) -> None:
        if lane in self._lanes:
            self._lanes[lane].append(number)
            return
        if lane:
            self._lanes[lane] = deque()
            self._of[number] = lane
        self._begin(number)

    def _begin(self, number: int) -> None:
        """At once, by a timer: while one is set, the route does not end."""
        self._waiting.alarms.set(f"{number:016}", self._now())

    async def _load(self, groups: Sequence[Group]) -> None:
        for group in groups:
            self._put(group.number, from_json(group.key)[0])

    async def _ring(self, key: str) -> None:
        await self._workers.add(int(key))

    async def _release(self, number: int) -> None:
        await self._waiting.release(number)
        lane = self._of.pop(number, "")
        if not lane:
            return
        if self._lanes[lane]:
            following = self._lanes[lane].popleft()
            self._of[following] = lane
            self._begin(following)
        else:
            del self._lanes[lane]
