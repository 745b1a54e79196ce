"""The values that logs, progress bars, metrics and the `route_event` hook are made of.

Nothing here happens per message on the happy path: counts are kept in `Counts`, events tell of changes.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(slots=True)
class Counts:
    """What a route has done since it started. `ended` are messages that a step ended early, such as a filter.

    `received` are those that came from the source, `brought` those that the route brings itself, such as groups and
    what was delayed. `held` are those that have been handled and wait in memory, such as for the rest of their group.
    """

    received: int = 0
    done: int = 0
    ended: int = 0
    retried: int = 0
    dead: int = 0
    refused: int = 0
    in_flight: int = 0
    held: int = 0
    brought: int = 0


@dataclass(frozen=True, slots=True)
class RouteStarted:
    """A route's sinks are open; it takes messages, unless it is paused."""

    route: str


@dataclass(frozen=True, slots=True)
class RouteDegraded:
    """A source or sink of a route is away; the route tries again in `wait` seconds, the others run."""

    route: str
    error: Exception
    wait: float


@dataclass(frozen=True, slots=True)
class RoutePaused:
    """A route takes no more messages until it is resumed; what it has goes on. `why` says who or what wants it so."""

    route: str
    why: str


@dataclass(frozen=True, slots=True)
class RouteResumed:
    """A route that was paused takes messages again."""

    route: str


@dataclass(frozen=True, slots=True)
class CircuitChanged:
    """A circuit breaker is `closed`, `open` or `half-open` now, and `why`.

    If it is open, it lets calls through again after `wait` seconds, to see whether they succeed; None: not by itself.
    """

    route: str
    name: str
    state: str
    why: str
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Flight:
    """A message that is at work, the step that it is at, and for how many seconds since it came."""

    route: str
    message_id: str
    step: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Draining:
    """The service stops, and waits for what a route has at work: up to `seconds` more.

    `flights` are the messages that are at a step, the oldest first; others wait for their turn.
    """

    route: str
    in_flight: int
    flights: tuple[Flight, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class RouteStopped:
    """A route has ended: its source is exhausted, or it was stopped.

    `unfinished` messages will be redelivered, or, where the route is `durable`, are in its journal; `left` are those of
    them that were at a step when the service ended.
    """

    route: str
    counts: Counts
    unfinished: int = 0
    left: tuple[Flight, ...] = ()
    durable: bool = False


@dataclass(frozen=True, slots=True)
class StateLeft:
    """What the store holds of a route for the next start, when the service has ended.

    `kind` is `journal` for messages of a durable route, `groups` for those that its step of the state `name` keeps.
    """

    route: str
    kind: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """A message or a send failed and is tried again in `wait` seconds."""

    route: str
    message_id: str
    attempt: int
    wait: float
    error: Exception


@dataclass(frozen=True, slots=True)
class Rescued:
    """A clause has dealt with a failure: the message went on, or was done. `by` names the scope and the class."""

    route: str
    message_id: str
    by: str
    error: Exception


@dataclass(frozen=True, slots=True)
class GapSkipped:
    """A `resequence` waits no longer for the numbers `first` to `last` of a sequence; `key` is that of the sequence."""

    route: str
    name: str
    key: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A message was given up and put where the route's policy says."""

    route: str
    message_id: str
    step: str
    error: Exception


@dataclass(frozen=True, slots=True)
class ClusterGrew:
    """Dead letters that are alike are told of: the first of them, which is `new`, then ten, a hundred, a thousand.

    `cluster` is its id in the store, `text` the reason without the values that differ. At most ten in a minute come
    from one route; what was left out is told with a later letter.
    """

    route: str
    cluster: str
    step: str
    error: str
    text: str
    count: int
    new: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A message was handed back to its source, which will redeliver it or knows what to do."""

    route: str
    message_id: str
    step: str
    error: Exception


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the `log` step or endpoint."""

    route: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file or batch has come: `done` of `total` (None when unknown) in `unit`s; `finished` at the end."""

    route: str
    name: str
    done: int
    total: int | None
    unit: str
    finished: bool = False


Event: TypeAlias = (
    RouteStarted
    | RouteDegraded
    | RoutePaused
    | RouteResumed
    | CircuitChanged
    | Draining
    | RouteStopped
    | StateLeft
    | Retrying
    | Rescued
    | GapSkipped
    | DeadLettered
    | ClusterGrew
    | Refused
    | Logged
    | Progress
)
