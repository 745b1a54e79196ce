"""The token buckets of clients."""

from routekit.control.flood import CLIENTS, Buckets


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_three_seconds_at_once_and_then_the_rate() -> None:
    """What was not used is saved for three seconds, and no longer."""
    clock = Hand()
    buckets = Buckets(10, clock)
    assert [buckets.take("a") for _ in range(30)] == [0.0] * 30
    assert buckets.take("a") == 0.1
    clock.at = 0.1
    assert (buckets.take("a"), buckets.take("a") > 0) == (0.0, True)
    clock.at = 1000.0
    assert [buckets.take("a") for _ in range(31)][-2:] == [0.0, 0.1]


def test_who_waits_is_not_punished_for_asking() -> None:
    """Asking too early costs nothing, so that the wait that was told is enough."""
    clock = Hand()
    buckets = Buckets(1, clock)
    for _ in range(50):
        buckets.take("a")
    clock.at += buckets.take("a")
    assert buckets.take("a") == 0.0


def test_of_very_many_clients_the_one_that_asked_first_is_forgotten() -> None:
    """So that addresses made up cost no memory."""
    buckets = Buckets(1, lambda: 0.0)
    for _ in range(3):
        buckets.take("busy")
    assert buckets.take("busy") > 0
    for number in range(CLIENTS):
        buckets.take(str(number))
    assert buckets.take("busy") == 0.0
