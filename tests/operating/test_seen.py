"""Since when the parts of a service are as they are."""

from routekit import Unavailable
from routekit.events import RouteDegraded, RoutePaused, RouteResumed, RouteStarted
from routekit.operating.seen import Seen, Since


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_route_that_is_degraded_again_and_again_is_so_since_the_first_time() -> None:
    """With the latest reason; once it has run, it begins anew."""
    clock = Hand()
    seen = Seen(clock)
    assert seen.route("r", "starting") == Since("starting", 100.0)
    for clock.at, why in ((110.0, "first"), (120.0, "second")):
        seen.hear(RouteDegraded("r", Unavailable(why), 1.0))
    assert seen.route("r", "degraded") == Since("degraded", 110.0, "second")
    clock.at = 130.0
    seen.hear(RouteStarted("r"))
    assert seen.route("r", "running") == Since("running", 130.0)
    clock.at = 140.0
    seen.hear(RouteDegraded("r", Unavailable("third"), 1.0))
    assert seen.route("r", "degraded") == Since("degraded", 140.0, "third")


def test_a_pause_is_known_by_its_reason() -> None:
    """Until it is resumed; a route of which nothing was heard is as it is from the start."""
    clock = Hand()
    seen = Seen(clock)
    clock.at = 150.0
    seen.hear(RoutePaused("r", "outside its window"))
    assert seen.route("r", "paused") == Since("paused", 150.0, "outside its window")
    clock.at = 160.0
    seen.hear(RouteResumed("r"))
    assert (seen.route("r", "running").when, seen.route("other", "running").when) == (160.0, 100.0)
