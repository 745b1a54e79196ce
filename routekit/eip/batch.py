"""Batch: as many messages as come within a size or a time go on as one list."""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ..conduct import Conduct
from ..demands import amount, one_of, whole
from ..fitting import fitting
from ..grouping import Grouping, Rules, many
from ..keeping import Keeping, name_and_body_checked
from ..message import Message
from ..step import Handler, Onward, Runtime, Step
from ..store import Group

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Batch(Step[T, list[T]]):
    """An "Aggregator" of all messages: a list goes on with `size` of them, or `wait` seconds after its first one."""

    keeps = True
    name: str
    body: Any
    size: int
    wait: float | None = None
    at_stop: Literal["keep", "release"] = "keep"
    parallel: int = 1

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "batch")
        whole(f"batch '{self.name}': size", self.size)
        whole(f"batch '{self.name}': parallel", self.parallel)
        if self.wait is not None:
            amount(f"batch '{self.name}': wait", self.wait)
        one_of(f"batch '{self.name}': at_stop", self.at_stop, ("keep", "release"))

    def bind(self, proceed: Handler[list[T]], runtime: Runtime) -> Handler[T]:
        keeping = Keeping(self.body, fitting(self.body))

        async def patience(message: Message[Any], group: Group) -> float | None:
            return None if self.wait is None else group.first + self.wait - group.last

        rules = Rules(wait=None if self.wait is None else patience, at_stop=self.at_stop, parallel=self.parallel)
        grouping = Grouping(self.name, keeping, many(proceed, keeping), rules, runtime)

        async def handle(message: Message[T]) -> None:
            group = await grouping.keep("", message, full=self.size)
            if group is not None and group.size >= self.size:
                await grouping.release(group.number, "size")

        return handle

    def behaves(self) -> Conduct:
        return Conduct(order="yes" if self.parallel == 1 else "no", anew="its lists")

    @property
    def label(self) -> str:
        return f"batch({self.name}, size={self.size}{'' if self.wait is None else f', wait={self.wait:g}'})"

    @property
    def onward(self) -> Onward:
        return "later"

    def state(self) -> str | None:
        return self.name
