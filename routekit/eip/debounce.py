"""Debounce: of messages that follow each other quickly, only the last one goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling
from ..conduct import Conduct
from ..demands import amount, whole
from ..fitting import fitting
from ..grouping import Grouped, Grouping, Rules, alone
from ..keeping import Keeping, name_and_body_checked
from ..keys import key_text
from ..message import Message
from ..step import Handler, Onward, Runtime, Step
from ..store import Group

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Debounce(Step[T, T]):
    """The last message of a key goes on once nothing has come for `quiet` seconds; those before it end.

    With `longest`, not later than so many seconds after the first of them, even if they never stop.
    """

    keeps = True
    name: str
    body: Any
    quiet: float
    key: Callable[..., Any] | None = None
    longest: float | None = None
    most: int = 10_000

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "debounce")
        amount(f"debounce '{self.name}': quiet", self.quiet)
        if self.longest is not None:
            amount(f"debounce '{self.name}': longest", self.longest)
        whole(f"debounce '{self.name}': most", self.most)

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        keeping = Keeping(self.body, fitting(self.body))
        key_of = None if self.key is None else calling(self.key)

        async def wait(message: Message[Any], group: Group) -> float | None:
            longest = self.quiet if self.longest is None else group.first + self.longest - group.last
            return min(self.quiet, longest)

        rules = Rules(joined=_last, wait=wait, latest=True, most=self.most, parallel=8)
        grouping = Grouping(self.name, keeping, alone(proceed, keeping), rules, runtime)

        async def handle(message: Message[T]) -> None:
            key = "" if key_of is None or self.key is None else key_text(await called(key_of, message), self.key)
            group = await grouping.keep(key, message)
            if group is not None:
                grouping.holds_back(group)

        return handle

    def behaves(self) -> Conduct:
        return Conduct(order="no", drops="those that another one follows at once", anew="what it waits for")

    @property
    def label(self) -> str:
        return f"debounce({self.name}, quiet={self.quiet:g})"

    @property
    def onward(self) -> Onward:
        return "later"

    def state(self) -> str | None:
        return self.name


def _last(group: Grouped) -> Message[Any]:
    return group.messages[-1]
