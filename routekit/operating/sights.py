"""Sights: what can be seen of a running service, as plain data that is the same in Python, in JSON and on a page.

All times are seconds since 1970, all durations seconds. Nothing here holds a secret: URIs, settings and errors are
masked before they get here, and bodies are, by the annotations of their fields.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..settings import Settings


class Sight(BaseModel):
    """One thing that can be seen."""

    model_config = ConfigDict(frozen=True)


class About(Sight):
    """The daemon as a whole. `workers` are the processes that run the routes, by name; one for `serve` alone."""

    version: str
    pid: int
    started: float
    routes: str
    store: str
    profile: str = ""
    workers: Sequence[str] = ()
    leader: str = ""


class StepSight(Sight):
    """One step of a route since its start; quantiles are None until something has been measured.

    `rate` and `errors` are what went well and failed in a second, over the last ten seconds.
    """

    label: str
    place: str
    count: int
    failures: int = 0
    retries: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    rate: float = 0.0
    errors: float = 0.0


class RouteSight(Sight):
    """One route in a line of a table. `rate` is messages done in a second, over the last ten seconds."""

    name: str
    state: Literal["starting", "running", "paused", "stopping", "degraded", "stopped"]
    why: str = ""
    since: float
    module: str
    source: str
    received: int = 0
    brought: int = 0
    done: int = 0
    ended: int = 0
    retried: int = 0
    dead: int = 0
    refused: int = 0
    in_flight: int = 0
    held: int = 0
    rate: float = 0.0
    errors: float = 0.0
    """Messages that failed for good in a second, over the last ten seconds."""
    oldest: float | None = None
    """The age of the oldest message in flight."""
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    concurrency: int = 1
    """Messages that may be in flight at once; 0: as many as its callers bring."""
    feeds: Sequence[str] = ()
    """The routes that it sends to, by name."""


class PromiseSight(Sight):
    """What the route guarantees at one sink; see `routekit check`."""

    sink: str
    delivery: str
    ordered: str
    survives: bool
    reasons: Sequence[str] = ()
    stronger: str = ""


class FailureSight(Sight):
    """One of the latest failures of a route."""

    when: float
    message: str
    step: str
    error: str
    reason: str
    outcome: Literal["retried", "dead", "refused", "rescued"]


class RouteDetail(Sight):
    """All about one route; `drawing` is the plain data of `routekit describe --json`, `code` its text in the module."""

    route: RouteSight
    steps: Sequence[StepSight] = ()
    promises: Sequence[PromiseSight] = ()
    failures: Sequence[FailureSight] = ()
    drawing: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    doc: str = ""
    code: str = ""
    place: str = ""


class EndpointSight(Sight):
    """One endpoint of one route. `health` is `ok` until it is seen to fail; `figures` are what it counts itself.

    `rate` and `errors` are what was brought or sent in a second, and what failed, over the last ten seconds.
    """

    route: str
    uri: str
    scheme: str
    role: Literal["source", "sink"]
    health: Literal["ok", "down", "unknown"]
    reason: str = ""
    since: float
    rate: float = 0.0
    errors: float = 0.0
    figures: Mapping[str, float] = Field(default_factory=dict[str, float])


class FlightSight(Sight):
    """A message that is at work, the step that it is at, and for how long since it came."""

    route: str
    message: str
    step: str
    seconds: float


class GroupSight(Sight):
    """A group of messages that a step keeps, or one that waits."""

    name: str
    route: str
    key: str
    size: int
    first: float
    last: float
    closed: bool = False
    owner: str = ""


class BreakerSight(Sight):
    """A circuit breaker, its state and why."""

    name: str
    route: str
    state: Literal["closed", "open", "half-open"]
    why: str = ""
    since: float | None = None


class HeldSight(Sight):
    """How much of one kind the store holds under one name; `oldest` is when that was written."""

    kind: str
    name: str
    count: int
    oldest: float | None = None


class SettingSight(Sight):
    """One setting, masked, and where it came from: `default`, a file with its line, the environment or `--set`."""

    name: str
    value: str
    origin: str
    doc: str = ""


def sights_of(settings: Settings) -> Sequence[SettingSight]:
    """Every setting, as `routekit config show` has it; no secret is asked for."""
    return [SettingSight(name=one.name, value=one.value, origin=one.origin, doc=one.doc) for one in settings.shown()]


class DeedSight(Sight):
    """What an operator did."""

    when: float
    who: str
    action: str
    what: str
    details: str = ""


class SendSight(Sight):
    """One try of a step to send: where to, for how long, what went out and what came back, masked."""

    to: str
    at: float
    seconds: float
    error: str = ""
    body: Any = None
    answer: Any = None


class HopSight(Sight):
    """A step that a traced message passed: when it entered, for how long, and what it was before and after.

    `id` is that of the message or of its part. `step` begins with the branches around it, which are `within`.
    `seconds` are those in the step itself, without what is inside it and what follows. `path` says where the step
    stands: its number among those of its chain, behind the numbers of the chain and steps around it, so that steps
    inside a step have longer paths. `before` and `after` are JSON, masked, None where the trace keeps no bodies.
    `decision` says why it went on as it did, with the values that decided: `true: lead.email = 'a***@example.org'`,
    `when 2 of 3: order.total > 1000: order.total = 5000`. `outcome` is `on`, `sent`, `ended`, `kept`, `retried`,
    `rescued`, `failed` or `broken off`. `attempt` is that of the route.
    """

    id: str
    step: str
    within: str = ""
    place: str
    path: Sequence[int] = ()
    at: float
    seconds: float
    attempt: int = 1
    outcome: str
    decision: str = ""
    error: str = ""
    before: Any = None
    after: Any = None
    sends: Sequence[SendSight] = ()


class TraceSight(Sight):
    """The way of one message through one route.

    `ended` is `done`, `ended early`, `dead letter`, `refused`, `broken off` or `at work`. `error` is why, `note` what
    was left out of the trace. `steps` is how many hops there are, also where they are not given.
    """

    message: str
    route: str
    worker: str = ""
    attempt: int = 1
    began: float
    seconds: float | None = None
    ended: str
    hops: Sequence[HopSight] = ()
    parent: str = ""
    """The trace of the message that caused it, in another route: `route/message`."""
    error: str = ""
    note: str = ""
    steps: int = 0


class LineSight(Sight):
    """One line of the daemon's log; `number` grows, so that a reader can go on after the last one it has."""

    number: int
    when: float
    level: str
    text: str
    route: str = ""
    step: str = ""
    message: str = ""


class PartHealth(Sight):
    """Whether one route or endpoint works, and since when it is so."""

    kind: Literal["route", "endpoint", "store", "leader"]
    name: str
    ok: bool
    state: str
    reason: str = ""
    since: float


class Health(Sight):
    """`ready` is false while a route starts or is degraded, or the store is away."""

    ready: bool
    parts: Sequence[PartHealth] = ()
