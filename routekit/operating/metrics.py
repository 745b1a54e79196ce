"""Metrics: the figures of a service as Prometheus reads them, by the names of docs/operations/metrics.md.

Labels name routes, steps, endpoints and limiters, which the definitions bound, and never a message, a key or a body.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from ..observed import BOUNDS, RouteFigures, StepFigures, Times
from ..options import masked
from ..runtime.service import Service

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""What the text is, for the header of an HTTP answer."""

OTHER: Final = "other"
"""The label of all that is beyond a limit, as one."""

MOST_ROUTES: Final = 2_000
"""Routes with labels of their own."""

MOST_STEPS: Final = 5_000
"""Steps with labels of their own, over all routes; of a route beyond it, all steps are one."""

MOST_FIGURES: Final = 5_000
"""Figures of endpoints; those beyond it are left out, since endpoints of several kinds cannot be added."""

ROUTE_BOUNDS: Final = tuple(
    bound for bound in BOUNDS if 1e-4 <= bound <= 500 and f"{bound:.1e}".partition("e")[0] in ("1.0", "2.5", "5.0")
)
"""Seconds: the buckets of how long messages take."""

STEP_BOUNDS: Final = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Seconds: the buckets of how long steps take; few, since there are many steps."""

STATES: Final = ("starting", "running", "paused", "stopping", "degraded", "stopped")


def metrics_text(service: Service) -> bytes:
    """The metrics of a service as text of type `CONTENT_TYPE`; reading stops no message but for the moment it takes."""
    return text_of(service.observed())


def text_of(routes: Sequence[RouteFigures]) -> bytes:
    """The same of figures that have been read; this may run in another thread."""
    registry = CollectorRegistry()
    registry.register(_Routes(routes))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Routes(Collector):
    """The families of metrics, made of figures."""

    def __init__(self, routes: Sequence[RouteFigures]) -> None:
        self._routes = routes
        self._named = _labelled(routes)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: the names of endpoints' figures come with their plugins."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._counted()
        yield from self._now()
        yield self._took()
        yield from self._steps()
        yield from _breakers(self._routes)
        yield from _limits(self._routes)
        yield from _endpoints(self._routes)

    def _counted(self) -> Iterator[Metric]:
        received = CounterMetricFamily(
            "routekit_messages_received", "Messages that came, from the source or brought by a step.", labels=_FROM
        )
        messages = CounterMetricFamily("routekit_messages", "Messages that ended, by outcome.", labels=_OUTCOME)
        retries = CounterMetricFamily("routekit_retries", "Tries of whole messages after the first.", labels=_ROUTE)
        for name, figures in self._named:
            received.add_metric([name, "source"], _sum(figures, lambda one: one.received))
            received.add_metric([name, "step"], _sum(figures, lambda one: one.brought))
            for outcome, read in _OUTCOMES.items():
                messages.add_metric([name, outcome], _sum(figures, read))
            retries.add_metric([name], _sum(figures, lambda one: one.retried))
        yield from (received, messages, retries)

    def _now(self) -> Iterator[Metric]:
        in_flight = GaugeMetricFamily("routekit_in_flight", "Messages at work.", labels=_ROUTE)
        held = GaugeMetricFamily("routekit_held", "Messages that steps hold in memory.", labels=_ROUTE)
        about = "Age of the oldest message at work, 0 if there is none."
        oldest = GaugeMetricFamily("routekit_oldest_message_seconds", about, labels=_ROUTE)
        state = GaugeMetricFamily("routekit_route_state", "1 for the state that a route is in.", labels=_STATE)
        for name, figures in self._named:
            in_flight.add_metric([name], _sum(figures, lambda one: one.in_flight))
            held.add_metric([name], _sum(figures, lambda one: one.held))
            oldest.add_metric([name], max(one.oldest or 0.0 for one in figures))
            for known in STATES:
                state.add_metric([name, known], sum(one.state == known for one in figures))
        yield from (in_flight, held, oldest, state)

    def _took(self) -> Metric:
        took = HistogramMetricFamily(
            "routekit_message_seconds", "How long messages took to their end, retries included.", labels=_ROUTE
        )
        for name, figures in self._named:
            _put(took, [name], [one.times for one in figures], ROUTE_BOUNDS)
        return took

    def _steps(self) -> Iterator[Metric]:
        entered = CounterMetricFamily("routekit_step_messages", "Messages and parts that entered.", labels=_STEP)
        failures = CounterMetricFamily("routekit_step_failures", "Errors that began in the step.", labels=_STEP)
        retries = CounterMetricFamily("routekit_step_retries", "Tries that the step made necessary.", labels=_STEP)
        took = HistogramMetricFamily(
            "routekit_step_seconds", "How long the step took by itself, of a sample of messages.", labels=_STEP
        )
        left = MOST_STEPS
        for route, figures in self._named:
            steps = [step for one in figures for step in one.steps]
            own = len(figures) == 1 and len(steps) <= left
            left -= len(steps) if own else 0
            for step, those in _numbered(steps) if own else [(OTHER, steps)] if steps else []:
                entered.add_metric([route, step], sum(one.count for one in those))
                failures.add_metric([route, step], sum(one.failures for one in those))
                retries.add_metric([route, step], sum(one.retries for one in those))
                _put(took, [route, step], [one.times for one in those], STEP_BOUNDS)
        yield from (entered, failures, retries, took)


_ROUTE = ("route",)
_FROM = ("route", "from")
_OUTCOME = ("route", "outcome")
_STATE = ("route", "state")
_STEP = ("route", "step")
_ENDPOINT = ("route", "endpoint")

_OUTCOMES: Mapping[str, Callable[[RouteFigures], int]] = {
    "done": lambda one: one.done,
    "ended": lambda one: one.ended,
    "dead": lambda one: one.dead,
    "refused": lambda one: one.refused,
}


def _labelled(routes: Sequence[RouteFigures]) -> Sequence[tuple[str, Sequence[RouteFigures]]]:
    """The routes by their labels: each its own, and those beyond the limit one for all."""
    own = [(figures.name, [figures]) for figures in routes[:MOST_ROUTES]]
    rest = routes[MOST_ROUTES:]
    return [*own, (OTHER, rest)] if rest else own


def _numbered(steps: Sequence[StepFigures]) -> Iterator[tuple[str, Sequence[StepFigures]]]:
    """Steps by labels that differ: `transform(str)`, `transform(str) (2)`."""
    seen: dict[str, int] = {}
    for step in steps:
        label = masked(step.label)
        seen[label] = number = seen.get(label, 0) + 1
        yield label if number == 1 else f"{label} ({number})", [step]


def _sum(figures: Sequence[RouteFigures], read: Callable[[RouteFigures], float]) -> float:
    return sum(map(read, figures))


def _put(
    family: HistogramMetricFamily, labels: Sequence[str], times: Sequence[Times | None], to: Sequence[float]
) -> None:
    """Add durations in these buckets, which are some of those that were counted in; none if nothing was measured."""
    known = [one for one in times if one is not None]
    if not known:
        return
    both = reduce(_added, known)
    sums = list(accumulate(both.buckets))
    buckets = [(str(bound), float(sums[_PLACES[bound]])) for bound in to]
    family.add_metric(labels, [*buckets, ("+Inf", float(both.count))], both.total)


_PLACES = {bound: number for number, bound in enumerate(BOUNDS)}


def _added(one: Times, other: Times) -> Times:
    both = [first + second for first, second in zip(one.buckets, other.buckets, strict=True)]
    return Times(one.count + other.count, one.total + other.total, both)


def _breakers(routes: Sequence[RouteFigures]) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "routekit_breaker_state", "1 for the state of a circuit breaker.", labels=("breaker", "state")
    )
    states = {breaker.name: breaker.state for figures in routes for breaker in figures.breakers}
    for name, state in states.items():
        for known in ("closed", "open", "half-open"):
            family.add_metric([name, known], state == known)
    yield family


def _limits(routes: Sequence[RouteFigures]) -> Iterator[Metric]:
    inside = GaugeMetricFamily("routekit_limiter_inside", "Messages that a limiter has let in.", labels=("limiter",))
    waiting = GaugeMetricFamily("routekit_limiter_waiting", "Messages that wait for a limiter.", labels=("limiter",))
    for limit in {limit.name: limit for figures in routes for limit in figures.limits}.values():
        inside.add_metric([limit.name], limit.inside)
        waiting.add_metric([limit.name], limit.waiting)
    yield from (inside, waiting)


def _endpoints(routes: Sequence[RouteFigures]) -> Iterator[Metric]:
    """What endpoints count themselves: `routekit_endpoint_` and its name; equal endpoints of a route are added up."""
    values: dict[str, dict[tuple[str, str], float]] = {}
    found = [figure for figures in routes for figure in figures.endpoints][:MOST_FIGURES]
    for figure in found:
        of = values.setdefault(figure.name, {})
        labels = figure.route, figure.endpoint
        of[labels] = of.get(labels, 0.0) + figure.value
    for name, of in sorted(values.items()):
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family = kind(
            f"routekit_endpoint_{name.removesuffix('_total')}", "See the page of the endpoint.", labels=_ENDPOINT
        )
        for labels, value in of.items():
            family.add_metric(labels, value)
        yield family
