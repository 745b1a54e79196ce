"""Detour: while a predicate holds or a switch is on, messages go through a branch and come back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling, name_of
from ..conduct import PLAIN, Conduct
from ..message import Message
from ..passage import Passage
from ..step import Chain, Handler, Reply, Runtime, Step
from ..switch import Switch

T = TypeVar("T")


@dataclass(frozen=True)
class Detour(Step[T, T]):
    """EIP "Detour".

    What the branch gives goes on. The control bus turns a switch by `control:turn?name=audit&on=true`; without `on` it
    only asks how the switch stands.
    """

    shares = True

    when: Switch | Callable[..., Any]
    branch: Chain

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        branch = runtime.bind(self.branch, proceed, "detour")
        if isinstance(self.when, Switch):
            turned = _Turned(self.when, runtime)
            runtime.offer("turn", self.when.name, turned.turn)
            return turned.between(branch, proceed)
        when = calling(self.when)

        async def handle(message: Message[T]) -> Message[Any] | None:
            return await (branch(message) if await called(when, message) else proceed(message))

        return handle

    def state(self) -> str | None:
        return self.when.name if isinstance(self.when, Switch) else None

    def behaves(self) -> Conduct:
        if isinstance(self.when, Switch):
            return Conduct(varies="the switch may have been turned when a message comes again")
        return PLAIN

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return () if isinstance(self.when, Switch) else (self.when,)

    def explained(self, passage: Passage) -> str:
        went = "detour" if passage.branches else "straight on" if passage.on else ""
        on = "on" if passage.branches else "off"
        return f"{went}: switch '{self.when.name}' is {on}" if went and isinstance(self.when, Switch) else went

    @property
    def label(self) -> str:
        return f"detour({self.when if isinstance(self.when, Switch) else name_of(self.when)})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("detour", self.branch), ("straight on", Chain()))

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "on" for label, _ in self.branches()}


class _Turned:
    """How a switch stands: read from the store with the first message, then known."""

    def __init__(self, switch: Switch, runtime: Runtime) -> None:
        self._switch = switch
        self._marks = runtime.store.marks(switch.name)
        self._on: bool | None = None

    async def turn(self, on: bool | None = None) -> bool:
        """Turn it, if it is said how; gives how it stands."""
        if on is None:
            return await self._read()
        await self._marks.put("switch", "on" if on else "off")
        self._on = on
        return on

    async def _read(self) -> bool:
        if self._on is None:
            left = await self._marks.get("switch")
            if self._on is None:  # else it was turned meanwhile
                self._on = self._switch.on if left is None else left == "on"
        return self._on

    def between(self, branch: Handler[Any], straight: Handler[Any]) -> Handler[Any]:
        async def handle(message: Message[Any]) -> Message[Any] | None:
            on = self._on if self._on is not None else await self._read()
            return await (branch(message) if on else straight(message))

        return handle
