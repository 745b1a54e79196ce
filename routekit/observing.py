"""Observing: who follows messages on their way through a route, and what is told of each step and send.

Nothing is wrapped, and no message pays, where nobody observes a route.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log1p
from random import Random
from typing import Any, Protocol, TypeAlias

from .message import Message, Trace
from .place import Place
from .route import Route
from .step import Step


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """A step where it stands in a route: one object for as long as the route runs, so that it can be a key.

    `label` names the step with the branches around it, as errors do: `when(vip) > to log:sales`; two steps may have the
    same. Those of a route are in the order of `path`: the positions of the step and of those around it.
    """

    route: str
    label: str
    place: Place
    step: Step[Any, Any]
    path: tuple[int, ...]


class Observer(Protocol):
    """Observes the messages of one route."""

    def begin(self, message: Message[Any]) -> Trace | None:
        """Follow a message that the route has just taken, or None: not this one; so sampling is the observer's.

        Called for each message from the source and for each that the route brings itself, such as the whole of a group,
        before it is checked. Its retries belong to the same trace. If another route of this service has sent it here,
        by `direct:` say, `message.meta.trace` is what that was followed by: see `traces_of`. Must raise nothing.

        An observer that follows few messages may have an attribute `skips`, read after each call: the number of the
        next messages that it need not be asked about, so that they pay next to nothing. See `Sampling`.
        """
        ...


Observing: TypeAlias = Callable[[Route], Observer | None]
"""Makes the observer of a route, or None: not that one."""


class Sampling:
    """Which messages are followed, if it is a `share` of all that is taken at random: `skips` before the next one.

    An observer that has one takes `skips` from it after each `begin`, and follows every message that it is asked about.
    Raises ValueError for a share that is not above 0 and at most 1.
    """

    def __init__(self, share: float, random: Random) -> None:
        if not 0.0 < share <= 1.0:
            raise ValueError(f"a share of {share} cannot be taken: it is above 0 and at most 1")
        self._scale = 0.0 if share == 1.0 else 1.0 / log1p(-share)
        self._random = random

    def skips(self) -> int:
        """How many messages to let pass now."""
        return int(log1p(-self._random.random()) * self._scale)


class Several:
    """Several traces of one message as one: what the first one does is around what the second one does."""

    __slots__ = ("traces",)

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = tuple(traces)

    def step(self, spot: Any, handler: Any, message: Message[Any]) -> Any:
        for trace in reversed(self.traces):
            handler = _inside(trace, spot, handler)
        return handler(message)

    def send(self, spot: Any, target: Any, send: Any, message: Message[Any], options: Any) -> Any:
        for trace in reversed(self.traces):
            send = _sending(trace, spot, target, send)
        return send(message, **options)

    def end(self, outcome: Any, error: Exception | None) -> None:
        for trace in reversed(self.traces):
            trace.end(outcome, error)


def traces_of(message: Message[Any]) -> Sequence[Trace]:
    """The traces that a message is followed by, each by itself: an observer knows its own by their class."""
    trace = message.meta.trace
    if trace is None:
        return ()
    return trace.traces if isinstance(trace, Several) else (trace,)


def _inside(trace: Trace, spot: Any, handler: Any) -> Callable[[Message[Any]], Any]:
    return lambda message: trace.step(spot, handler, message)


def _sending(trace: Trace, spot: Any, target: Any, send: Any) -> Callable[..., Any]:
    def sent(message: Message[Any], **options: Any) -> Any:
        return trace.send(spot, target, send, message, options)

    return sent
