"""What went over the endpoints of a test: messages that were sent, and messages that came and what became of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

import anyio

from ..endpoint import Producer
from ..events import DeadLettered, Event, RouteDegraded, RouteStarted
from ..message import Message
from .matching import Key, called

State: TypeAlias = Literal["waiting", "taken", "done", "ended", "dead", "refused"]
"""`waiting` to be taken, `taken` and not told of yet, `done` with a reply, `ended` early, `dead` (a dead letter), or
`refused`: given back to its source."""


@dataclass(frozen=True, eq=False)
class Sent:
    """One send of a route; `error` is what it raised, if it did."""

    endpoint: Producer
    message: Message[Any]
    """As the route sent it, before any codec."""
    options: Mapping[str, Any]
    """Those that were computed for this message."""
    route: str
    at: float
    """Wall time in seconds since 1970."""
    written: Message[Any] | None = None
    """As the other side has it, if a twin has taken it: bytes where the endpoint writes bytes."""
    error: Exception | None = None

    @property
    def body(self) -> Any:
        """The body as the route sent it."""
        return self.message.body

    @property
    def address(self) -> str:
        """Scheme and path of where it was sent, or the whole URI where there is no path."""
        return called(self.endpoint)


@dataclass(eq=False)
class Arrival:
    """One message on its way into a route, and what became of it."""

    message: Message[Any]
    to: Key
    """What the test put it to, or the address that it was sent to."""
    sent: bool = False
    """Whether a route has sent it; else the test has put it there."""
    state: State = "waiting"
    reply: Message[Any] | None = None
    error: Exception | None = None
    """What it was refused for, or became a dead letter with."""
    route: str = ""
    """The route that took it."""
    deliveries: int = 0
    """How often it was delivered: more than once if it came again."""
    told: anyio.Event = field(default_factory=anyio.Event)

    @property
    def body(self) -> Any:
        """The body as it came."""
        return self.message.body

    @property
    def over(self) -> bool:
        """Whether its source was told."""
        return self.state not in ("waiting", "taken")


@dataclass(eq=False)
class _Box:
    """What came to one address or key and is not over, in order."""

    to: Key
    sent: bool
    open: dict[Arrival, None] = field(default_factory=dict[Arrival, None])


class Traffic:
    """All that goes over the endpoints of a test, in order; `redeliver` is how often a refused message comes again."""

    def __init__(self, redeliver: int = 0) -> None:
        self.sends: list[Sent] = []
        self.arrivals: list[Arrival] = []
        self.dead: list[DeadLettered] = []
        self.degraded: dict[str, Exception] = {}
        self._letters: dict[tuple[str, str], DeadLettered] = {}
        self._redeliver = redeliver
        self._boxes: list[_Box] = []
        self._waiters: list[anyio.Event] = []

    def put(self, to: Key, body: Any) -> Arrival:
        """Let a body or a message come from the endpoints that a key stands for; the test has put it there."""
        message = cast("Message[Any]", body) if isinstance(body, Message) else Message(body)
        if not message.id:
            message = Message(message.body, message.headers, f"message-{len(self.arrivals) + 1}", message.meta)
        return self._posted(Arrival(message, to))

    def arrive(self, address: str, message: Message[Any]) -> None:
        """Let a message that a route has sent be read from an address, once, if any route reads from it."""
        self._posted(Arrival(message, address, sent=True))

    def took(self, message: Message[Any], at: Key, route: str) -> Arrival:
        """Keep a message that a route took from another source."""
        came = Arrival(message, at, state="taken", route=route, deliveries=1)
        self.arrivals.append(came)
        self._changed()
        return came

    def waiting(self, wants: "Callable[[Arrival], bool]") -> Arrival | None:
        """The next message that waits and is wanted."""
        for box in self._boxes:
            if box.open and wants(next(iter(box.open))):
                for came in box.open:
                    if came.state == "waiting":
                        return came
        return None

    def settled(self, came: Arrival, reply: Message[Any] | None, error: Exception | None) -> None:
        """Note what became of a message; a refused one may come again."""
        came.reply, came.error = reply, error
        letter = self._letters.get((came.route, came.message.id))
        if error is not None:
            came.state = "waiting" if came.deliveries <= self._redeliver else "refused"
        elif letter is not None:
            came.state, came.error = "dead", letter.error
        else:
            came.state = "ended" if reply is None else "done"
        if came.over:
            self._box(came).open.pop(came, None)
            came.told.set()
        self._changed()

    def note(self, sent: Sent) -> None:
        """Keep what a route has sent."""
        self.sends.append(sent)
        self._changed()

    def hear(self, event: Event) -> None:
        """Keep what became a dead letter, and which routes are not up, since a source or sink is away."""
        if isinstance(event, DeadLettered):
            self.dead.append(event)
            self._letters[event.route, event.message_id] = event
            self._changed()
        elif isinstance(event, RouteDegraded):
            self.degraded[event.route] = event.error
        elif isinstance(event, RouteStarted):
            self.degraded.pop(event.route, None)

    async def change(self) -> None:
        """Wait until anything is sent, comes, or is settled."""
        news = anyio.Event()
        self._waiters.append(news)
        try:
            await news.wait()
        finally:
            self._waiters.remove(news)

    def _posted(self, came: Arrival) -> Arrival:
        self.arrivals.append(came)
        self._box(came).open[came] = None
        self._changed()
        return came

    def _box(self, came: Arrival) -> _Box:
        for box in self._boxes:
            if box.sent is came.sent and box.to == came.to:
                return box
        self._boxes.append(_Box(came.to, came.sent))
        return self._boxes[-1]

    def _changed(self) -> None:
        for news in self._waiters:
            news.set()
