"""Recording: one message's way through one route, as it is being followed.

While the message is at work only what cannot be had later is taken down; it is told as data when the trace is written.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, cast

from ..message import Message, Outcome
from ..observing import Spot
from ..options import masked
from .looking import Look, Sight

MOST_HOPS: Final = 500
"""Steps of one message and its parts that are recorded; what comes then is counted."""


class Hop:
    """One step that the message, or a part of it, has entered."""

    __slots__ = (
        "at", "attempt", "branches", "broken_off", "error", "id", "inner", "number", "on", "parts",
        "passed_on", "replied", "reply", "seconds", "seen", "sends", "spot", "within",
    )  # fmt: skip

    def __init__(self, spot: Spot, message: Message[Any], number: int, within: "Hop | None", seen: Sight) -> None:
        self.spot: Final = spot
        self.id: Final = message.id
        self.attempt: Final = message.meta.attempt
        self.number: Final = number
        self.within: Final = within
        self.seen: Final = seen
        self.at = 0.0
        self.seconds: float | None = None
        self.inner = 0.0
        self.branches: list[str] = []
        self.parts = 0
        self.on = False
        self.replied = False
        self.broken_off = False
        self.passed_on = False
        self.reply: Sight | None = None
        self.error: Exception | None = None
        self.sends: list[Sent] = []


class Sent:
    """One try to send."""

    __slots__ = ("answer", "at", "error", "seconds", "seen", "target")

    def __init__(self, target: str, at: float, seen: Sight) -> None:
        self.target: Final = target
        self.at: Final = at
        self.seen: Final = seen
        self.seconds: float | None = None
        self.answer: Sight | None = None
        self.error: Exception | None = None


class Recording:
    """Follows one message; `finished` is called with it when the message has ended in the route."""

    __slots__ = (
        "_finished",
        "at",
        "attempt",

        "body",
        "cut",
        "ended",
        "error",
        "errors",
        "hops",
        "id",
        "look",
        "now",
        "parent",
        "route",
        "seconds",
    )  # fmt: skip

    def __init__(
        self,
        route: str,
        message: Message[Any],
        parent: str,
        look: Look,
        now: Callable[[], float],
        finished: Callable[["Recording"], None],
    ) -> None:
        self.route: Final = route
        self.id: Final = message.id
        self.parent: Final = parent
        self.look: Final = look
        self.now: Final = now
        self._finished: Final = finished
        self.at: Final = now()
        self.body: Final = look.at(message)
        self.attempt = message.meta.attempt
        self.seconds: float | None = None
        self.hops: list[Hop] = []
        self.cut = 0
        self.ended: Outcome | None = None
        self.error: Exception | None = None
        self.errors: set[int] = set()

    @property
    def link(self) -> str:
        """How another trace names this one."""
        return f"{self.route}/{self.id}"

    async def step(self, spot: Spot, handler: Any, message: Message[Any]) -> Any:
        """Follow the message through a step."""
        hop = self._entered(spot, message)
        if hop is None:
            return await handler(message)
        token = _current.set((self, hop))
        reply: Any = _BROKEN_OFF
        try:
            reply = await handler(message)
        except Exception as error:
            hop.error = error
            raise
        finally:
            _current.reset(token)
            self._left(hop, reply)
        return reply

    async def send(self, spot: Spot, target: Any, send: Any, message: Message[Any], options: Mapping[str, Any]) -> Any:
        """Take down what is sent, and what comes back."""
        current = _current.get()
        if current is None or current[0] is not self or len(current[1].sends) >= MOST_HOPS:
            return await send(message, **options)
        sent = Sent(self.look.named(id(target), lambda: masked(str(target))), self.now(), self.look.at(message))
        current[1].sends.append(sent)
        try:
            answer: Any = await send(message, **options)
        except Exception as error:
            sent.error = error
            raise
        finally:
            sent.seconds = self.now() - sent.at
        if isinstance(answer, Message):
            sent.answer = self.look.at(cast("Message[Any]", answer))
        return cast("Any", answer)

    def end(self, outcome: Outcome, error: Exception | None) -> None:
        """The message has ended here."""
        self.ended, self.error = outcome, error
        self.seconds = self.now() - self.at
        self._finished(self)

    @property
    def failed(self) -> bool:
        """Whether the message was given up or refused, or a part of it was."""
        if self.ended in ("dead", "refused"):
            return True
        return any(hop.error is not None and not hop.passed_on and _given_up(hop) for hop in self.hops)

    def _entered(self, spot: Spot, message: Message[Any]) -> Hop | None:
        if len(self.hops) >= MOST_HOPS:
            self.cut += 1
            return None
        current = _current.get()
        within = current[1] if current is not None and current[0] is self else None
        hop = Hop(spot, message, len(self.hops), within, self.look.at(message, spot.step))
        self.hops.append(hop)
        self.attempt = max(self.attempt, hop.attempt)
        if within is not None:
            self._led(within, hop)
        hop.at = self.now()
        return hop

    def _led(self, hop: Hop, inner: Hop) -> None:
        """Take down where the step went: into a branch, on with a part, or on."""
        here, there = hop.spot, inner.spot
        hop.parts += inner.id != hop.id
        if there.path[: len(here.path)] == here.path:
            hop.branches.append(self.look.named((here, there), lambda: _branch(here, there)))
        else:
            hop.on = True

    def _left(self, hop: Hop, reply: Any) -> None:
        hop.seconds = self.now() - hop.at
        if hop.within is not None:
            hop.within.inner += hop.seconds
        if isinstance(reply, Message):
            hop.replied = True
            hop.reply = None if hop.on else self.look.at(cast("Message[Any]", reply))
        elif reply is _BROKEN_OFF and hop.error is None:
            hop.broken_off = True
        if hop.error is not None:  # it is of the innermost step that raised it
            hop.passed_on = id(hop.error) in self.errors
            self.errors.add(id(hop.error))


_BROKEN_OFF: Final = object()
"""In place of a reply: there was none, since the step raised or was cancelled."""

_current: ContextVar[tuple[Recording, Hop] | None] = ContextVar("routekit_hop", default=None)


def _branch(spot: Spot, inner: Spot) -> str:
    """The label of the branch of one step that another one begins."""
    around = spot.label.removesuffix(spot.step.label)
    return inner.label.removeprefix(around).removesuffix(f" > {inner.step.label}")


def _given_up(hop: Hop) -> bool:
    """Whether what failed was a part that another step dealt with for good."""
    above = hop.within
    while above is not None:
        if above.error is None and above.spot.step.settles:
            return True
        above = above.within
    return False
