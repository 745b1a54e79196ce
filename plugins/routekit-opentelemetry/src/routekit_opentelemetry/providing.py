"""Where spans go, and how many messages are followed: as the variables of OpenTelemetry say, `OTEL_...`.

A program that has set a tracer provider of its own keeps it.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import ProxyTracerProvider, Tracer

from routekit import BadOption, did_you_mean

_SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
_EXPORTERS = ("otlp", "console", "none")


class Sampling(NamedTuple):
    """Which messages are followed.

    That share of those that come without a trace; of the others, if `by_parent`, those whose sender is followed.
    """

    share: float = 1.0
    by_parent: bool = True


def sampling(environ: Mapping[str, str]) -> Sampling:
    """What `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say; raises BadOption."""
    name = environ.get("OTEL_TRACES_SAMPLER") or "parentbased_always_on"
    if name not in _SAMPLERS:
        raise BadOption(f"OTEL_TRACES_SAMPLER is '{name}'", hint=did_you_mean(name, _SAMPLERS))
    kind = name.removeprefix("parentbased_")
    if kind != "traceidratio":
        return Sampling(float(kind == "always_on"), kind != name)
    text = environ.get("OTEL_TRACES_SAMPLER_ARG", "1.0")
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise BadOption(f"OTEL_TRACES_SAMPLER_ARG is '{text}'", hint="write a share from 0.0 to 1.0")
    return Sampling(share, kind != name)


def _exporter(environ: Mapping[str, str]) -> SpanExporter | None:
    asked = environ.get("OTEL_TRACES_EXPORTER")
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    name = asked or ("otlp" if endpoint else "none")
    if name not in _EXPORTERS:
        raise BadOption(f"OTEL_TRACES_EXPORTER is '{name}'", hint=did_you_mean(name, _EXPORTERS))
    if name == "none":
        return None
    return OTLPSpanExporter() if name == "otlp" else ConsoleSpanExporter()


@cache
def provided() -> tuple[Tracer, Sampling] | None:
    """The tracer, and which messages it follows; None if spans go nowhere. Raises BadOption.

    The SDK samples nothing besides: what is not followed costs one call for a message, and not one for each of its
    spans.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    found = sampling(os.environ)
    if isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
        exporter = _exporter(os.environ)
        if exporter is None:
            return None
        resource = Resource.create({} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "routekit"})
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
    return trace.get_tracer("routekit"), found
