"""The daemon that runs already, as far as it matters to who looks whether one could."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import time

from ..sights import About, EndpointSight, Health
from .finding import Finding, ok, warn


@dataclass(frozen=True)
class Running:
    """What a daemon with the same data folder says of itself."""

    url: str
    about: About
    health: Health
    endpoints: Sequence[EndpointSight]

    def has(self, route: str, uri: str) -> bool:
        """Whether it reads from there by that route, and well: an address is then taken by nobody else."""
        return any((one.route, one.uri, one.role, one.health) == (route, uri, "source", "ok") for one in self.endpoints)


def daemon(running: Running, installed: str) -> Iterator[Finding]:
    """Whether it is the RouteKit that is installed, and well."""
    about = running.about
    hours = max(0.0, time() - about.started) / 3600
    yield ok("daemon", f"process {about.pid} runs at {running.url}, for {hours:,.1f} hours")
    if installed and about.version != installed:
        found = f"it is RouteKit {about.version}, and {installed} is installed"
        yield warn("daemon", found, "start it anew: what is in flight is finished")
    for part in running.health.parts:
        if not part.ok:
            found = f"{part.state}: {part.reason}" if part.reason else part.state
            yield warn(f"{part.kind} {part.name}", found, "routekit ps, routekit log")
