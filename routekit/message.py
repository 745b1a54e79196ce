"""The nouns of every route: Message, its Meta, and Delivery."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")

NO_HEADERS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sequence:
    """Where a part stands among its siblings: `index` counts from 0, `size` is known with the last at the latest."""

    index: int
    last: bool
    size: int | None = None

    @property
    def first(self) -> bool:
        """Whether it is the first of its siblings."""
        return self.index == 0


class Passed(NamedTuple):
    """One step that a message has entered: the message's id then, the step, and wall time in seconds since 1970.

    A named tuple: one is made per step, and a frozen dataclass takes three times as long to make.
    """

    id: str
    step: str
    at: float


Outcome: TypeAlias = Literal["done", "ended", "dead", "refused", "left"]
"""How a message ended in a route: it reached the end; a step ended it early; it became a dead letter; its source was
told that it failed; or it was broken off, and will come again."""


class Trace(Protocol):
    """What one observer follows of one message through one route; see `routekit.Observer`.

    It goes along in `meta.trace` with the message, its parts and its copies, and is called in the event loop, also by
    several tasks at once. What it does besides must be short, and must raise nothing of its own.
    """

    def step(
        self, spot: Any, handler: Callable[["Message[Any]"], Awaitable["Message[Any] | None"]], message: "Message[Any]"
    ) -> Awaitable["Message[Any] | None"]:
        """Let a step handle the message, by returning or awaiting `handler(message)`; `spot` is the `Spot` of the step.

        A step is done when all that follows it is. What `handler` raises has to be raised.
        """
        ...

    def send(
        self,
        spot: Any,
        target: Any,
        send: Callable[..., Awaitable[Any]],
        message: "Message[Any]",
        options: Mapping[str, Any],
    ) -> Awaitable[Any]:
        """Send the message as it goes out, encoded, by `send(message, **options)`; what that gives is the answer.

        `spot` is the `Spot` of the step that sends, `target` its `Target`. The message may be given other headers, such
        as `traceparent`. Each retry of a send is one of its own.
        """
        ...

    def end(self, outcome: Outcome, error: Exception | None) -> None:
        """The message has ended in this route; called once. `error` is why, if it is `dead` or `refused`."""
        ...


class Meta:
    """What the engine knows about a message; route authors read it, nobody outside can set it.

    `received` is wall time in seconds since 1970; `deadline` is the time of anyio's clock at which the message
    expires, or None; `attempt` counts from 1; `error` is set inside a `rescue` branch; `sequence` is where a part
    stands among its siblings, if its splitter was asked to tell; `history` is the steps that the message has passed,
    if its route keeps them; `original` is the message as it entered the route, if a clause of its policy lets messages
    go on; `trace` is what observers follow of it, if one of them does. Slotted, as Message is.
    """

    __slots__ = (
        "attempt",
        "deadline",
        "error",
        "history",
        "original",
        "received",
        "route",
        "sequence",
        "source",
        "trace",
    )

    def __init__(
        self,
        route: str = "",
        source: str = "",
        received: float = 0.0,
        attempt: int = 1,
        deadline: float | None = None,
        error: Exception | None = None,
        sequence: "Sequence | None" = None,
        history: "list[Passed] | None" = None,
        original: "Message[Any] | None" = None,
        trace: Trace | None = None,
    ) -> None:
        self.route: Final = route
        self.source: Final = source
        self.received: Final = received
        self.attempt: Final = attempt
        self.deadline: Final = deadline
        self.error: Final = error
        self.sequence: Final = sequence
        self.history: Final = history
        self.original: Final = original
        self.trace: Final = trace

    def changed(self, **slots: Any) -> "Meta":
        """The same with other values in these slots; not for the path of every message."""
        return Meta(**{name: getattr(self, name) for name in self.__slots__} | slots)

    def with_error(self, error: Exception) -> "Meta":
        """The same, as a rescue branch sees it."""
        return self.changed(error=error)


NO_META: Final = Meta()


class Message(Generic[T_co]):
    """One message: a body, the headers that came with it, an id that survives redelivery, and meta.

    A value: nothing changes it, every change gives a new one. A slotted class, since a frozen dataclass
    takes 2.5 times as long to make and one is made per step.
    """

    __slots__ = ("body", "headers", "id", "meta")

    def __init__(self, body: T_co, headers: Mapping[str, Any] = NO_HEADERS, id: str = "", meta: Meta = NO_META) -> None:
        self.body: Final = body
        self.headers: Final = headers
        self.id: Final = id
        self.meta: Final = meta

    def with_body(self, body: U) -> "Message[U]":
        """The same message with another body."""
        return Message(body, self.headers, self.id, self.meta)

    def with_headers(self, headers: Mapping[str, Any]) -> "Message[T_co]":
        """The same message with these headers and no others."""
        return Message(self.body, headers, self.id, self.meta)

    def with_header(self, name: str, value: object) -> "Message[T_co]":
        """The same message with one header set."""
        return Message(self.body, {**self.headers, name: value}, self.id, self.meta)

    def with_meta(self, meta: Meta) -> "Message[T_co]":
        """The same message as the engine sees it from now on."""
        return Message(self.body, self.headers, self.id, meta)

    def part(self, index: int, body: U, headers: Mapping[str, Any] | None = None) -> "Message[U]":
        """A part of this message; its id is `parent/index`, so that parts never collapse in a store."""
        meta = self.meta if self.meta.sequence is None else self.meta.changed(sequence=None)  # that of the parent
        return Message(body, self.headers if headers is None else headers, f"{self.id}/{index}", meta)

    def __repr__(self) -> str:
        return f"Message({self.body!r}, headers={dict(self.headers)!r}, id={self.id!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        mine = (self.id, self.body, dict(self.headers))
        return mine == (other.id, other.body, dict(other.headers))  # pyright: ignore[reportUnknownMemberType]  # a Message of unknown body

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # bodies need not be hashable


Ack = Callable[["Message[Any] | None"], Awaitable[None]]
Nack = Callable[[Exception], Awaitable[None]]


class Delivery(Generic[T_co]):
    """A message plus how its source is told the outcome.

    `ack(reply)` is awaited once everything that the message caused is done or durably stored; `nack(error)`
    when it was refused. Either may be None: the source does not want to know. Only the engine calls them,
    and it calls exactly one of them, once, unless the process dies or is forced to stop: then neither, and
    the source redelivers. A source that already knows what is wrong with a message, such as a ragged row, gives the
    `error`: the message is then not handled but goes the way of one that failed.
    """

    __slots__ = ("ack", "error", "message", "nack")

    def __init__(
        self,
        message: Message[T_co],
        ack: Ack | None = None,
        nack: Nack | None = None,
        error: Exception | None = None,
    ) -> None:
        self.message: Final = message
        self.ack: Final = ack
        self.nack: Final = nack
        self.error: Final = error
