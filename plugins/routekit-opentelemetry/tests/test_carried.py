"""A trace goes on through a database's outbox, a real broker and a real HTTP server, to the last of three services."""

import os
import socket
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from routekit import from_
from routekit.testing import Feed, Run, Sink, run_routes, setup_for
from routekit_opentelemetry.observing import RouteObserver
from routekit_opentelemetry.providing import Sampling
from routekit_rabbitmq.testing import Server, installed

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The broker's driver runs on asyncio only."""
    return "asyncio"


@pytest.fixture
def broker(tmp_path: Path) -> Generator[Server]:
    """A RabbitMQ server; without its programs the test is skipped, or fails where servers are required."""
    if installed() is None:
        reason = "rabbitmq-server is not installed: `make test`, as root on Debian, installs it"
        (pytest.fail if os.environ.get("ROUTEKIT_REQUIRE_SERVERS") else pytest.skip)(reason)
    with Server(tmp_path / "rabbitmq") as started:
        yield started


@pytest.fixture
def free_port() -> int:
    """One that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


async def test_one_trace_through_all_of_them(broker: Server, tmp_path: Path, free_port: int) -> None:
    """What is booked in the database is sent to the broker, then by HTTP: one trace, each span in its sender's."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tables: Mapping[tuple[str, str], Any] = {
        ("sql", "crm"): {"url": f"sqlite:///{tmp_path}/crm.db"},
        ("rabbitmq", "default"): {"url": broker.url},
        ("http", "next"): {"url": f"http://127.0.0.1:{free_port}"},
    }
    setup = replace(
        setup_for(Run(), settings=lambda scheme, name: tables.get((scheme, name))),
        observers=[lambda route: RouteObserver(route, provider.get_tracer("tests"), Sampling())],
    )
    end = Sink()
    await run_routes(
        booking=from_(Feed(["an order"]), str).transaction(
            "sql:crm", lambda t: t.to("rabbitmq:orders"), name="booking"
        ),
        passing=from_("rabbitmq:orders", str).to("http:next/orders"),
        ending=from_(f"http:127.0.0.1:{free_port}/orders", str).to(end),
        setup=setup,
    )
    assert end.bodies == ["an order"]
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {span.context.trace_id for span in spans.values()} == {_first(spans).context.trace_id}
    sent = [(span.name, _parent(spans, span)) for span in spans.values() if span.name.startswith("process ")]
    assert dict(sent) == {
        _first(spans).name: None,
        "process orders": "send orders",
        f"process http:127.0.0.1:{free_port}/orders": "send http:next/orders",
    }


def _first(spans: Mapping[str, ReadableSpan]) -> ReadableSpan:
    (first,) = [span for span in spans.values() if span.parent is None]
    return first


def _parent(spans: Mapping[str, ReadableSpan], span: ReadableSpan) -> str | None:
    if span.parent is None:
        return None
    return next((name for name, one in spans.items() if one.context.span_id == span.parent.span_id), "?")
