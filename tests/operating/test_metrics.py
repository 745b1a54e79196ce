"""Metrics as Prometheus reads them: right, bounded, and as their page says."""

import re
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from routekit import Policy, Retry, from_
from routekit.figures import Figure
from routekit.observed import BOUNDS, RouteFigures, StepFigures, Times
from routekit.operating import metrics
from routekit.operating.metrics import CONTENT_TYPE, ROUTE_BOUNDS, STEP_BOUNDS, metrics_text, text_of
from routekit.runtime.service import Service
from routekit.testing import Feed, Run, Sink, running, setup_for

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "metrics.md"


def read(text: bytes) -> dict[str, Metric]:
    """What Prometheus makes of the text, by the names of its families."""
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample of that name that has these labels among its own."""
    (found,) = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found


async def shown() -> dict[str, Metric]:
    """The metrics of a service that has done all kinds of things."""

    def doubtful(number: int) -> int:
        return 6 // number

    flow = (
        from_(Feed([1, 2, 3, 0]), int, policy=Policy(retry=Retry(1)))
        .filter(lambda n: n != 3)
        .transform(doubtful)
        .transform(doubtful)
        .bulkhead(lambda inside: inside.transform(str), name="crm")
        .circuit_breaker(lambda inside: inside.to(Sink()), name="erp")
        .to("queue:out")
    )
    slow = from_("queue:out", policy=Policy(dead_letter="refuse")).throttle(rate=1, name="slow")
    service = Service([flow.route("orders"), slow.route("slow")], setup_for(Run(), metrics=True))
    async with service.started():
        await anyio.sleep(0.5)
        return read(metrics_text(service))


async def test_a_route_is_counted_by_outcome() -> None:
    """What came, how it ended, and what was tried again."""
    found = await shown()
    outcomes = {
        name: value(found, "routekit_messages_total", route="orders", outcome=name) for name in ("done", "ended")
    }
    assert outcomes == {"done": 2, "ended": 1}
    assert value(found, "routekit_messages_received_total", route="orders", **{"from": "source"}) == 4
    assert value(found, "routekit_retries_total", route="orders") == 1
    assert value(found, "routekit_route_state", route="slow", state="running") == 1
    assert value(found, "routekit_route_state", route="slow", state="paused") == 0


async def test_what_is_so_now_is_shown() -> None:
    """Messages at work with the age of the oldest, the depth of a queue, a breaker, limiters."""
    found = await shown()
    assert value(found, "routekit_in_flight", route="slow") == 1
    assert value(found, "routekit_oldest_message_seconds", route="slow") == pytest.approx(0.5, abs=0.1)
    assert value(found, "routekit_oldest_message_seconds", route="orders") == 0.0
    assert value(found, "routekit_endpoint_waiting", route="slow", endpoint="queue:out") == 0
    assert value(found, "routekit_breaker_state", breaker="erp", state="closed") == 1
    assert value(found, "routekit_breaker_state", breaker="erp", state="open") == 0
    assert value(found, "routekit_limiter_inside", limiter="slow") == 0
    assert value(found, "routekit_limiter_waiting", limiter="slow") == 1
    assert value(found, "routekit_limiter_inside", limiter="crm") == 0


async def test_a_step_is_counted_under_a_label_of_its_own() -> None:
    """Two steps that are written alike are told apart by a number."""
    found = await shown()
    assert value(found, "routekit_step_messages_total", route="orders", step="transform(doubtful)") == 4
    assert value(found, "routekit_step_messages_total", route="orders", step="transform(doubtful) (2)") == 2
    assert value(found, "routekit_step_failures_total", route="orders", step="transform(doubtful)") == 2
    assert value(found, "routekit_step_retries_total", route="orders", step="transform(doubtful)") == 1
    assert value(found, "routekit_step_messages_total", step="bulkhead > transform(str)") == 2


async def test_histograms_are_whole() -> None:
    """Their buckets grow, the last is all, and sum and count are those of the messages."""
    found = await shown()
    samples = [
        (float(sample.labels["le"].replace("+Inf", "inf")), sample.value)
        for sample in found["routekit_message_seconds"].samples
        if sample.name.endswith("_bucket") and sample.labels["route"] == "orders"
    ]
    assert [bound for bound, _ in samples] == [*ROUTE_BOUNDS, inf]
    counts = [count for _, count in samples]
    assert counts == sorted(counts)
    assert counts[-1] == value(found, "routekit_message_seconds_count", route="orders") == 4
    assert value(found, "routekit_message_seconds_sum", route="orders") > 0


async def test_the_page_names_what_is_exported_and_nothing_else() -> None:
    """Name, kind and labels of each family; what endpoints count has names of their own."""
    table = re.findall(r"^\| `(routekit_\w+)` \| (\w+) \| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in table}
    exported = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in (await shown()).values()
        if not family.name.startswith(("routekit_endpoint_", "process_"))
    }
    assert said == exported


def many(count: int, **changes: Any) -> list[RouteFigures]:
    return [RouteFigures(f"route-{number}", "running", done=1, **changes) for number in range(count)]


def test_too_many_routes_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the limit are added up under `other`."""
    monkeypatch.setattr(metrics, "MOST_ROUTES", 3)
    times = Times(1, 0.5, [0] * 60 + [1] + [0] * (len(BOUNDS) - 60))
    found = read(text_of(many(10, times=times)))
    done = {
        sample.labels["route"]: sample.value
        for sample in found["routekit_messages"].samples
        if sample.labels["outcome"] == "done"
    }
    assert done == {"route-0": 1, "route-1": 1, "route-2": 1, "other": 7}
    assert value(found, "routekit_message_seconds_count", route="other") == 7
    assert value(found, "routekit_message_seconds_sum", route="other") == 3.5


def test_too_many_steps_are_one_in_each_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routes whose steps still have room keep their labels."""
    monkeypatch.setattr(metrics, "MOST_STEPS", 5)
    steps = [StepFigures(f"step-{number}", "f.py:1", (0, number), count=2) for number in range(4)]
    found = read(text_of(many(2, steps=steps)))
    counted = {
        (sample.labels["route"], sample.labels["step"]): sample.value
        for sample in found["routekit_step_messages"].samples
    }
    assert counted == {**{("route-0", f"step-{number}"): 2.0 for number in range(4)}, ("route-1", "other"): 8.0}


def test_figures_of_equal_endpoints_are_added_up() -> None:
    """A route that reads twice from one place has one line for it; counters are said to be counters."""
    figures = [Figure("a", "file:in", "taken_total", 2), Figure("a", "file:in", "taken_total", 3)]
    found = read(text_of([RouteFigures("a", "running", endpoints=figures)]))
    assert value(found, "routekit_endpoint_taken_total", route="a", endpoint="file:in") == 5
    assert found["routekit_endpoint_taken"].type == "counter"


def test_labels_are_escaped_and_hold_no_secret() -> None:
    """Whatever a step is called: quotes, newlines and passwords."""
    step = StepFigures('to sql://me:hunter2@db?q="a\\b"\nc', "f.py:1", (0, 0), count=1)
    text = text_of([RouteFigures('odd "route"', "running", steps=[step])])
    assert b"hunter2" not in text
    found = read(text)
    assert value(found, "routekit_step_messages_total", route='odd "route"') == 1


async def test_no_label_is_a_message_or_a_key() -> None:
    """A thousand messages with a thousand keys make no more lines than ten."""

    async def lines(count: int) -> int:
        feed = Feed([f"secret-{number}" for number in range(count)])
        flow = from_(feed, str).idempotent("seen", key=lambda text: text).transform(int)
        setup = replace(setup_for(Run()), metrics=True)
        async with running(flow, setup=setup) as service:
            while len(feed.acknowledged) < count:
                await anyio.sleep(1)
            text = metrics_text(service).decode()
        assert "secret-" not in text
        assert "feed-" not in text
        return text.count("\n")

    assert abs(await lines(1000) - await lines(10)) <= 2 * len(STEP_BOUNDS)


def test_buckets_are_some_of_those_that_are_counted() -> None:
    """Or they could not be made of them."""
    assert set(ROUTE_BOUNDS) | set(STEP_BOUNDS) <= set(BOUNDS)
    assert ROUTE_BOUNDS[:4] == (0.0001, 0.00025, 0.0005, 0.001)
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")
