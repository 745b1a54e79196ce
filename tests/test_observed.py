"""Figures of routes and steps as values."""

from itertools import pairwise

import pytest

from routekit.observed import BOUNDS, Times


def times(**buckets: int) -> Times:
    counts = [0] * (len(BOUNDS) + 1)
    for number, count in buckets.items():
        counts[int(number.removeprefix("b"))] = count
    return Times(sum(counts), 0.0, counts)


def test_bounds_grow_by_a_quarter_or_so_and_hold_those_of_metrics() -> None:
    """1, 2.5 and 5 of each decade are among them."""
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert all(1.2 <= above / below <= 1.3 for below, above in pairwise(BOUNDS))
    assert {1e-6, 2.5e-3, 0.5, 1.0, 2.5, 500.0} <= set(BOUNDS)


def test_there_is_no_quantile_of_nothing() -> None:
    """None, and not 0."""
    assert times().quantile(0.5) is None


@pytest.mark.parametrize(("share", "bucket"), [(0.5, 10), (0.9, 10), (0.91, 20), (1.0, 20)])
def test_a_quantile_lies_in_its_bucket(share: float, bucket: int) -> None:
    """Of 90 durations in one and 10 in another."""
    found = times(b10=90, b20=10).quantile(share)
    assert found is not None
    assert BOUNDS[bucket - 1] < found <= BOUNDS[bucket]


def test_what_took_longer_than_all_bounds_is_said_to_be_the_last_of_them() -> None:
    """It is not known how much longer."""
    assert Times(1, 5000.0, [0] * len(BOUNDS) + [1]).quantile(0.5) == BOUNDS[-1]
