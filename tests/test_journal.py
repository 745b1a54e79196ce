"""The journal of a saga: what it keeps of a failure, and that it comes back as it was."""

import pytest

from routekit import BodyError, Rejected, RouteKitError, StoreError, TimedOut, Unavailable
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


def test_a_saga_of_a_later_release_is_refused() -> None:
    """With what to do; one of the first releases has no version, and is read."""
    text = Journal(1.0, ["a"]).text()
    with pytest.raises(StoreError, match=r"kept in version 2.*upgrade RouteKit"):
        Journal.read(text.replace('"version":1', '"version":2'))
    assert Journal.read(text.replace(',"version":1', "")) == Journal(1.0, ["a"])
