"""OpenTelemetry for RouteKit: a span for each message in a route, for its steps and sends."""

import os
import sys

from routekit import Observer, Route, hookimpl

routekit_interface = 1


@hookimpl
def observe_route(route: Route) -> Observer | None:
    """Follow messages of the route, if the environment says where spans go, or the program has set that up."""
    if "opentelemetry.sdk" not in sys.modules and not any(name.startswith("OTEL_") for name in os.environ):
        return None  # nobody wants spans, and the SDK takes its time to import
    from .observing import RouteObserver
    from .providing import provided

    found = provided()
    return None if found is None else RouteObserver(route, *found)
