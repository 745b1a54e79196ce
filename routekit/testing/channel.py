"""What goes over the endpoints that a test calls by one key: to be given, looked at, and held against expectations."""

from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Protocol, overload

import anyio

from ..message import Message
from ..runtime.failure import failure_of
from .arrivals import Arrivals
from .departures import Departures
from .differences import shown
from .expectations import Expectation, Fields
from .matching import Key, Way, means, named
from .traffic import Arrival, Sent, Traffic

_MOST = 10
"""Lines of each kind that a report has."""


class Endpoints(Protocol):
    """The endpoints that the routes of a test have."""

    traffic: Traffic
    sources: list[Arrivals]
    sinks: list[Departures]

    def known(self, key: Key, way: Way = "any") -> None:
        """Raise UnknownName if there are some, but none that is used in that way is what the key stands for."""
        ...


class Channel:
    """What goes over the endpoints that a key stands for; `world[key]` or `run[key]`.

    All that looks at it raises UnknownName, with the nearest address, once routes were bound and none has such an
    endpoint: a typing error never passes as silence.
    """

    def __init__(self, world: Endpoints, key: Key, since: int = 0) -> None:
        self._world = world
        self._key = key
        self._since = since
        self._read = since
        self._tries: list[Sent] = []
        self._sent: list[Sent] = []

    @property
    def tries(self) -> list[Sent]:
        """Every send, also those that failed, in order."""
        self._look()
        return [*self._tries]

    @property
    def sent(self) -> list[Sent]:
        """Every send that succeeded, in order, with its options and what the other side has of it."""
        self._look()
        return [*self._sent]

    @property
    def messages(self) -> list[Message[Any]]:
        """The messages that were sent, as the routes sent them."""
        return [one.message for one in self.sent]

    @property
    def bodies(self) -> list[Any]:
        """Their bodies, before any codec."""
        return [one.body for one in self.sent]

    @property
    def written(self) -> list[Any]:
        """Their bodies as the other side has them: bytes where the endpoint writes bytes."""
        return [one.body if one.written is None else one.written.body for one in self.sent]

    @property
    def arrivals(self) -> list[Arrival]:
        """The messages that came from here, and what became of each."""
        self._world.known(self._key)
        here = [one for one in self._world.sources if means(self._key, one.endpoint)]
        return [came for came in self._world.traffic.arrivals if any(one.wants(came) for one in here)]

    @property
    def acknowledged(self) -> list[tuple[str, Message[Any] | None]]:
        """(message id, reply) of those that were acknowledged, in the order of their coming."""
        return [(came.message.id, came.reply) for came in self.arrivals if came.state in ("done", "ended", "dead")]

    @property
    def refused(self) -> list[tuple[str, Exception]]:
        """(message id, error) of those that were given back."""
        return [(came.message.id, came.error) for came in self.arrivals if came.state == "refused" and came.error]

    def put(self, *messages: Any) -> None:
        """Let bodies or messages come from here, as its source would deliver them; they need not be waited for."""
        for message in messages:
            self._world.traffic.put(self._key, message)

    async def give(self, message: Any) -> Message[Any] | None:
        """Let a body or a message come from here, and wait for its outcome: the reply; raises what refused it."""
        self._world.known(self._key, "source")
        came = self._world.traffic.put(self._key, message)
        await came.told.wait()
        if came.state == "refused" and came.error is not None:
            raise came.error
        return came.reply

    async def settled(self, within: float) -> None:
        """Wait until the outcome of all that came from here is known; raises AssertionError after so many seconds."""
        __tracebackhide__ = True
        with anyio.move_on_after(within):
            while not all(came.over for came in self.arrivals):
                await self._world.traffic.change()
        left = [came for came in self.arrivals if not came.over]
        if left:
            lines = [f"{len(left)} of what came from {named(self._key)} is not settled within {within} s"]
            raise AssertionError("\n".join([*lines, *self._outcomes()]))

    @overload
    def expect(
        self,
        bodies: Sequence[Any] | None = None,
        *,
        count: int | None = None,
        headers: Fields | Sequence[Fields] | None = None,
        options: Fields | Sequence[Fields] | None = None,
        in_order: bool = True,
        others: bool = False,
        within: None = None,
    ) -> None: ...

    @overload
    def expect(
        self,
        bodies: Sequence[Any] | None = None,
        *,
        count: int | None = None,
        headers: Fields | Sequence[Fields] | None = None,
        options: Fields | Sequence[Fields] | None = None,
        in_order: bool = True,
        others: bool = False,
        within: float,
    ) -> Coroutine[Any, Any, None]: ...

    def expect(
        self,
        bodies: Sequence[Any] | None = None,
        *,
        count: int | None = None,
        headers: Fields | Sequence[Fields] | None = None,
        options: Fields | Sequence[Fields] | None = None,
        in_order: bool = True,
        others: bool = False,
        within: float | None = None,
    ) -> Coroutine[Any, Any, None] | None:
        """Raise AssertionError, with a comparison, unless what was sent here is as expected.

        Each of `bodies` is a value, a dict for a model with such fields, `having(...)` for some of its fields, a class,
        or a function of the body. They are all that may have been sent, unless `others` may have been too; without
        them, and without `count`, anything must have been. `headers` and computed `options` hold for every message, or
        are one mapping for each; what they do not name may be anything.

        With `within` it is awaited: it waits so many seconds for that, or, where nothing may be sent, for so long that
        nothing is. In virtual time that takes none.
        """
        __tracebackhide__ = True
        expected = Expectation(bodies, count, headers, options, in_order, others)
        self._world.known(self._key, "sink")
        if within is not None:
            return self._within(expected, within)
        self._check(expected, "")
        return None

    async def _within(self, expected: Expectation, seconds: float) -> None:
        __tracebackhide__ = True
        with anyio.move_on_after(seconds):
            while not expected.hopeless(sent := self.sent) and (expected.absence or not expected.holds(sent)):
                await self._world.traffic.change()
        self._check(expected, f" within {seconds} s")

    def _check(self, expected: Expectation, when: str) -> None:
        __tracebackhide__ = True
        sent = self.sent
        if not expected.holds(sent):
            lines = [f"what was sent to {named(self._key)}{when} is not as expected", *expected.said(sent)]
            raise AssertionError("\n".join([*lines, *self._instead(expected, sent)]))

    def _instead(self, expected: Expectation, sent: Sequence[Sent]) -> Iterator[str]:
        """Where the messages went, if not here."""
        lines = [*self._failed(), *self._elsewhere(expected, sent), *self._outcomes()]
        if lines:
            yield "what happened besides"
            yield from lines

    def _failed(self) -> Iterator[str]:
        failed = [one for one in self.tries if one.error is not None]
        for one in failed[:_MOST]:
            yield f"  a try to send failed: {shown(one.body)}: {_error(one.error)}"
        yield from _more(failed, "tries failed")

    def _elsewhere(self, expected: Expectation, sent: Sequence[Sent]) -> Iterator[str]:
        others: dict[str, list[Sent]] = {}
        for one in self._world.traffic.sends[self._since :]:
            if one.error is None and not self._is_here(one):
                others.setdefault(one.endpoint.uri(), []).append(one)
        for uri, those in others.items():
            missed = expected.missed(sent, those)
            which = f", with what is missing here: {', '.join(missed)}" if missed else ""
            yield f"  {len(those)} sent to {uri}{which}"

    def _outcomes(self) -> Iterator[str]:
        arrivals = self._world.traffic.arrivals
        told = {"ended": "ended early", "refused": "was refused", "taken": "is still at work"}
        for state, text in told.items():
            those = [came for came in arrivals if came.state == state]
            for came in those[:_MOST]:
                why = f": {_error(came.error)}" if state == "refused" else ""
                yield f"  {shown(came.body)} {text} in route {came.route}{why}"
            yield from _more(those, f"more {text}")
        left = [came for came in arrivals if came.state == "waiting" and not came.sent]
        for came in left[:_MOST]:
            yield f"  {shown(came.body)} was put to {named(came.to)}, and not taken"
        yield from _more(left, "not taken")
        for route, error in self._world.traffic.degraded.items():
            yield f"  route {route} is not up: {_error(error)}"
        dead = self._world.traffic.dead
        bodies = {(came.route, came.message.id): came.body for came in arrivals}
        for event in dead[:_MOST]:
            which = bodies.get((event.route, event.message_id))
            what = f"message {event.message_id}" if which is None else shown(which)
            yield f"  {what} became a dead letter of route {event.route}: {_error(event.error, event.step)}"
        yield from _more(dead, "dead letters")

    def _look(self) -> None:
        """Take note of what was sent since the last look: who waits looks at every send."""
        self._world.known(self._key)
        sends = self._world.traffic.sends
        for one in sends[self._read :]:
            if self._is_here(one):
                self._tries.append(one)
                if one.error is None:
                    self._sent.append(one)
        self._read = len(sends)

    def _is_here(self, one: Sent) -> bool:
        return means(self._key, one.endpoint)


def _error(error: BaseException | None, step: str = "") -> str:
    if error is None:
        return ""
    failure = failure_of(error)
    step, place = (failure.step, f" ({failure.place})") if failure is not None else (step, "")
    return f"{type(error).__name__}: {error}" + (f", in step {step}{place}" if step else "")


def _more(those: Sequence[object], what: str) -> Iterator[str]:
    if len(those) > _MOST:
        yield f"  ... {len(those)} {what} in all"
