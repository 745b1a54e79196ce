"""Counting: durations by buckets, and rates by marks."""

from hypothesis import given
from hypothesis import strategies as st

from routekit.message import Meta
from routekit.observed import BOUNDS
from routekit.runtime.tallies import WINDOW, Stopwatch, Tally


@given(st.lists(st.floats(1.1e-6, 500), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_off_by_one_bucket_at_most(durations: list[float], share: float) -> None:
    """It lies in the bucket of the duration that stands at that place in their order."""
    watch = Stopwatch()
    for seconds in durations:
        watch.add(seconds)
    times = watch.read()
    rank = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    found = times.quantile(share)
    assert found is not None
    assert rank / 1.3 <= found <= rank * 1.3
    assert (times.count, len(times.buckets)) == (len(durations), len(BOUNDS) + 1)


@given(st.lists(st.floats(0.0, 120.0), max_size=200))
def test_a_rate_is_off_by_what_happened_in_one_second_at_most(moments: list[float]) -> None:
    """Those of the last ten seconds are in it, and none of those that are older than eleven."""
    tally = Tally(0.0)
    for now in sorted(moments):
        if now >= tally.turn:
            tally.mark(now)
        tally.add(0.001)
    for later in (0.0, 0.4, 3.0, 9.7, 10.5, 50.0):
        now = max(moments, default=0.0) + later
        seconds = min(WINDOW, max(1.0, now))
        least = sum(now - WINDOW < moment for moment in moments)
        most = sum(now - WINDOW - 1.0 <= moment for moment in moments)
        rate, errors = tally.rates(now)
        assert least - 1e-6 <= rate * seconds <= most + 1e-6
        assert errors == 0.0


def test_the_oldest_is_the_one_that_came_first() -> None:
    """And a clock that was put back makes no age below nothing."""
    tally = Tally(0.0)
    assert tally.oldest(5.0) is None
    first, second = Meta(received=2.0), Meta(received=3.0)
    tally.flying[first] = tally.flying[second] = None
    assert tally.oldest(5.0) == 3.0
    assert tally.oldest(1.0) == 0.0
    del tally.flying[first]
    assert tally.oldest(5.0) == 2.0
