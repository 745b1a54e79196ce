"""What spans a message leaves behind, and how traces go on from one system to the next."""

from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode

from routekit import Message, Policy, from_
from routekit.testing import Feed, Run, Sink, replace_endpoints, run_routes, setup_for
from routekit_opentelemetry.observing import MOST, RouteObserver
from routekit_opentelemetry.providing import Sampling

pytestmark = pytest.mark.anyio

ALL = Sampling()
SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_FOLLOWED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Spans:
    """The spans that routes leave behind."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider(sampler=ALWAYS_ON)
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    async def run(self, *flows: Any, sampling: Sampling = ALL, **named: Any) -> Run:
        tracer = self._provider.get_tracer("tests")
        setup = replace(setup_for(Run()), observers=[lambda route: RouteObserver(route, tracer, sampling)])
        return await run_routes(*flows, setup=setup, **named)

    @property
    def all(self) -> list[ReadableSpan]:
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.all]

    def __getitem__(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.all if span.name == name]
        return found

    def parent(self, name: str) -> str:
        """The name of the span that another one is in."""
        parent = self[name].parent
        return "" if parent is None else next((s.name for s in self.all if s.context.span_id == parent.span_id), "?")


@pytest.fixture
def spans() -> Spans:
    return Spans()


async def test_each_step_and_send_has_a_span(spans: Spans):
    """They are in the span of the message, in order, and a step's ends when the next one begins."""
    with replace_endpoints() as world:
        world["rabbitmq:orders"].put(1)
        await spans.run(
            shop=from_("rabbitmq:orders", int).transform(lambda n: n + 1).transform(str).to("rabbitmq:sales")
        )
    assert spans.names == ["process orders", "transform(n + 1)", "transform(str)", "to rabbitmq:sales", "send sales"]
    assert {spans.parent(name) for name in spans.names[1:4]} == {"process orders"}
    assert spans.parent("send sales") == "to rabbitmq:sales"
    assert (spans["transform(n + 1)"].end_time or 0) <= (spans["transform(str)"].start_time or 0)
    whole, send = spans["process orders"], spans["send sales"]
    assert (whole.kind, send.kind) == (SpanKind.CONSUMER, SpanKind.PRODUCER)
    assert whole.attributes is not None
    assert whole.attributes["routekit.outcome"] == "done"
    assert send.attributes is not None
    assert send.attributes["messaging.system"] == "rabbitmq"
    assert send.attributes["messaging.destination.name"] == "sales"
    assert send.attributes["messaging.message.id"] == whole.attributes["messaging.message.id"]


async def test_the_next_system_goes_on_with_the_trace(spans: Spans):
    """What is sent tells in its headers of the span that it is sent in, and who receives it is in that."""
    with replace_endpoints():
        await spans.run(
            first=from_(Feed([1]), int).to("rabbitmq:between"), second=from_("rabbitmq:between", int).to("rabbitmq:end")
        )
    assert spans.parent("process between") == "send between"
    assert len({span.context.trace_id for span in spans.all}) == 1


async def test_a_route_that_is_called_is_in_the_step_that_calls(spans: Spans):
    """By direct: the trace goes on as well, and by queue: too."""
    await spans.run(
        first=from_(Feed([1]), int).to("direct:inner"),
        inner=from_("direct:inner", int).to("queue:later"),
        later=from_("queue:later", int).filter(lambda n: n > 0),
    )
    assert spans.parent("process direct:inner") == "send direct:inner"
    assert spans.parent("process queue:later") == "send queue:later"


async def test_a_failure_is_at_the_step_that_failed(spans: Spans):
    """The exception is told there once, without secrets; the message's span is an error, the steps before are not."""

    def letter(n: int) -> int:
        raise ValueError(f"{n} of amqp://me:hunter2@host")

    await spans.run(
        one=from_(Feed([1]), int, policy=Policy(dead_letter="store")).transform(str).transform(int).transform(letter)
    )
    failed = spans["transform(letter)"]
    (event,) = failed.events
    assert event.attributes == {"exception.type": "ValueError", "exception.message": "1 of amqp://me:***@host"}
    assert failed.status.status_code is StatusCode.ERROR
    assert spans["transform(int)"].status.status_code is StatusCode.UNSET
    whole = spans.all[0]
    assert whole.status.status_code is StatusCode.ERROR
    assert whole.attributes is not None
    assert whole.attributes["routekit.outcome"] == "dead"


async def test_no_span_says_anything_of_people(spans: Spans):
    """An error that quotes a value of the message is told without it: at a step, at a send, and of the whole."""

    def fail(n: int) -> None:
        raise ValueError("no such user: ADA.LOVELACE@example.org")

    lead = {"email": "ada.lovelace@example.org", "n": 1}
    policy = Policy(dead_letter="store")
    await spans.run(
        one=from_(Feed([lead]), dict[str, Any], policy=policy).transform(fail),
        two=from_(Feed([lead]), dict[str, Any], policy=policy).to(Sink(fail={1: ValueError("ada.lovelace is taken")})),
    )
    told = [span.status.description for span in spans.all if span.status.description]
    told += [str(event.attributes) for span in spans.all for event in span.events]
    assert len(told) >= 6
    assert [text for text in told if "lovelace" in text.lower()] == []


async def test_parts_are_in_the_step_that_splits(spans: Spans):
    """Each part's steps are in the span of the split, side by side."""
    await spans.run(one=from_(Feed([[1, 2]]), list[int]).split(list).transform(str))
    assert spans.names == [spans.names[0], "split()", "transform(str)", "transform(str)"]
    parts = spans.all[2:]
    assert {part.parent and part.parent.span_id for part in parts} == {spans["split()"].context.span_id}


async def test_a_message_has_so_many_spans_at_most(spans: Spans):
    """Of a message with many parts the first ones are told, and how many were left out."""
    await spans.run(one=from_(Feed([list(range(MOST + 9))]), list[int]).split(list).transform(str))
    assert len(spans.all) == MOST + 1
    assert spans.all[0].attributes is not None
    assert spans.all[0].attributes["routekit.spans.left_out"] == 10


@pytest.mark.parametrize(
    ("sampling", "parent", "followed"),
    [
        (Sampling(1.0), None, True),
        (Sampling(0.0), None, False),
        (Sampling(0.0), SENT, True),
        (Sampling(1.0), NOT_FOLLOWED, False),
        (Sampling(0.0, by_parent=False), SENT, False),
        (Sampling(1.0, by_parent=False), NOT_FOLLOWED, True),
        (Sampling(0.0), "00-nonsense", False),
        (Sampling(1.0), "00-nonsense", True),
    ],
)
async def test_who_is_followed(spans: Spans, sampling: Sampling, parent: str | None, followed: bool):
    """A share of the messages, or those whose sender is followed; a header that is malformed counts for nothing."""
    headers = {} if parent is None else {"traceparent": parent}
    run = await spans.run(one=from_(Feed([Message(1, headers)]), int).transform(str), sampling=sampling)
    assert bool(spans.all) is followed
    assert run.counts["one"].done == 1


async def test_a_sender_elsewhere_is_the_parent(spans: Spans):
    """The span of the message is in the trace, and in the span, that the header names."""
    await spans.run(one=from_(Feed([Message(1, {"traceparent": SENT})]), int).transform(str))
    parent = spans.all[0].parent
    assert parent is not None
    assert f"00-{parent.trace_id:032x}-{parent.span_id:016x}-01" == SENT
