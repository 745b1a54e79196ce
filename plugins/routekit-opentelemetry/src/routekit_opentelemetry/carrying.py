"""Trace context in the headers of messages, as W3C Trace Context says: https://www.w3.org/TR/trace-context/."""

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from routekit import Message

_NAMES = ("traceparent", "tracestate")
_propagator = TraceContextTextMapPropagator()


def sender_of(headers: Mapping[str, Any]) -> SpanContext | None:
    """The span in which a message was sent, if its headers tell; what is malformed tells nothing."""
    if not isinstance(headers.get("traceparent"), str):
        return None
    carried = {name: str(headers[name]) for name in _NAMES if name in headers}
    found = trace.get_current_span(_propagator.extract(carried, Context())).get_span_context()
    return found if found.is_valid else None


def sent_in(span: Span, message: Message[Any]) -> Message[Any]:
    """The message with headers that tell in which span it is sent."""
    carried: dict[str, str] = {}
    _propagator.inject(carried, trace.set_span_in_context(span, Context()))
    return message.with_headers({**message.headers, **carried})
