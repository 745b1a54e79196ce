"""The journal of a saga: what it keeps of a failure, and that it comes back as it was."""

import pytest

from routekit import BodyError, Rejected, RouteKitError, TimedOut, Unavailable
from routekit.journal import Failure, Journal


@pytest.mark.parametrize("error", [TimedOut("x"), Unavailable("x"), Rejected("x"), BodyError("x"), KeyError("x")])
def test_a_kept_failure_is_of_the_kind_that_it_was(error: Exception) -> None:
    """As far as it is one of ours, so that rules and rescues still see it."""
    journal = Journal(1.0, ["{}"], [], [], Failure.of("pay", error))
    again = Journal.read(journal.text())
    assert again == journal
    assert again.failure is not None
    kinds: tuple[type[Exception], ...] = (TimedOut, Unavailable, Rejected, RouteKitError)
    wanted = next((kind for kind in kinds if isinstance(error, kind)), RouteKitError)
    assert type(again.failure.error()) is wanted
    assert f"{type(error).__name__}: {error}" in str(again.failure.error())
