"""The way of a message as spans: one for the route, one for each of its steps, one for each send."""

from collections.abc import Awaitable, Callable, Mapping
from random import random
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, Tracer

from routekit import Message, Outcome, Route, Spot, Target, Trace, said, traces_of

from .carrying import sender_of, sent_in
from .naming import Named
from .providing import Sampling

MOST = 1000
"""Spans of one message in one route, with its parts; others are counted in `routekit.spans.left_out`."""


class RouteObserver:
    """Decides which messages of a route are followed."""

    def __init__(self, route: Route, tracer: Tracer, sampling: Sampling) -> None:
        self._name = route.name
        self._source = Named(route.source)
        self._tracer = tracer
        self._share, self._by_parent = sampling

    def begin(self, message: Message[Any]) -> Trace | None:
        """Follow the message if its sender is followed, or by chance."""
        if message.meta.trace is None and "traceparent" not in message.headers:  # what most messages pay
            return self._following(message, None) if random() < self._share else None
        sender = self._sender(message)
        follows = sender.trace_flags.sampled if sender and self._by_parent else random() < self._share
        return self._following(message, sender) if follows else None

    def _following(self, message: Message[Any], sender: SpanContext | None) -> Trace:
        around = None if sender is None else trace.set_span_in_context(NonRecordingSpan(sender), Context())
        attributes = {"routekit.route": self._name, **self._source.attributes("process", message.id)}
        span = self._tracer.start_span(
            self._source.span("process"), around or Context(), self._source.received, attributes
        )
        return MessageTrace(self._tracer, self._name, message.id, span)

    def _sender(self, message: Message[Any]) -> SpanContext | None:
        found = sender_of(message.headers)  # also of a route here: what is sent is told the span of its send
        return found or next(
            (one.at(message).get_span_context() for one in traces_of(message) if isinstance(one, MessageTrace)), None
        )


class MessageTrace:
    """One message in one route. A step's span ends when the next step begins, so that each tells its own time."""

    def __init__(self, tracer: Tracer, route: str, id: str, span: Span) -> None:
        self._tracer = tracer
        self._route = route
        self._id = id
        self._span = span
        self._open: dict[str, tuple[Span, Span]] = {}  # by message: the step that it is at, and what that is in
        self._count = 0
        self._told: BaseException | None = None

    def at(self, message: Message[Any]) -> Span:
        """The innermost span that the message is in."""
        known = message.id
        while known not in self._open:
            known, slash, _ = known.rpartition("/")
            if not slash:
                return self._span
        return self._open[known][0]

    async def step(
        self, spot: Spot, handler: Callable[[Message[Any]], Awaitable[Message[Any] | None]], message: Message[Any]
    ) -> Message[Any] | None:
        """Handle the message in a span of this step; what a step itself calls is in that span too."""
        before = self._open.get(message.id)
        if before is None:
            around = self.at(message)
        else:
            around = before[1]
            before[0].end()
        span = self._new(spot.label, around, {"routekit.route": self._route, "routekit.message.id": message.id})
        self._open[message.id] = span, around
        token = context.attach(trace.set_span_in_context(span))
        try:
            return await handler(message)
        except BaseException as error:
            self._failed(span, error)
            raise
        finally:
            context.detach(token)
            if self._open.get(message.id, (None,))[0] is span:
                del self._open[message.id]
                span.end()

    async def send(
        self,
        spot: Spot,
        target: Target,
        send: Callable[..., Awaitable[Any]],
        message: Message[Any],
        options: Mapping[str, Any],
    ) -> Any:
        """Send the message in a span of this send, and tell the receiver of it."""
        to = Named(target)
        span = self._new(to.span("send"), self.at(message), to.attributes("send", message.id), kind=to.sent)
        try:
            return await send(sent_in(span, message), **options)
        except BaseException as error:
            self._failed(span, error)
            raise
        finally:
            span.end()

    def end(self, outcome: Outcome, error: Exception | None) -> None:
        """End the span of the message; a dead letter and a refusal are errors."""
        self._span.set_attribute("routekit.outcome", outcome)
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__qualname__}: {said(error)}"))
        if self._count > MOST:
            self._span.set_attribute("routekit.spans.left_out", self._count - MOST)
        self._span.end()

    def _new(self, name: str, around: Span, attributes: Mapping[str, str], **more: Any) -> Span:
        self._count += 1
        if self._count > MOST:
            return NonRecordingSpan(around.get_span_context())
        return self._tracer.start_span(
            name, trace.set_span_in_context(around, Context()), attributes=attributes, **more
        )

    def _failed(self, span: Span, error: BaseException) -> None:
        """Note an error at the innermost span that it passes; the others were only on its way."""
        if isinstance(error, Exception) and self._told is not error:
            self._told = error
            kind, text = type(error).__qualname__, said(error)
            span.add_event("exception", {"exception.type": kind, "exception.message": text})
            span.set_status(Status(StatusCode.ERROR, f"{kind}: {text}"))
