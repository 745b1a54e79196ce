"""The contract of remote systems: what is said of them as data, and errors that tell what is known."""

import pytest

from routekit import Rejected, Unavailable
from routekit.remotes import (
    Abilities,
    Busy,
    Forbidden,
    Gone,
    Record,
    Refused,
    RemoteError,
    Stale,
    Taken,
    Unclear,
    Unsent,
)


def test_a_look_goes_back_behind_all_that_may_show_up_late() -> None:
    """The overlap is the lag of the feed and the width of its stamps together."""
    assert Abilities(lag=2.0, granularity=1.0).overlap == 3.0
    assert Abilities().overlap == 0.0


@pytest.mark.parametrize(
    ("kind", "again"),
    [
        (Unsent, True),
        (Unclear, True),
        (Busy, True),
        (Stale, False),
        (Refused, False),
        (Taken, False),
        (Gone, False),
        (Forbidden, False),
    ],
)
def test_an_error_says_whether_another_try_is_worth_it(kind: type[RemoteError], again: bool) -> None:
    """What may pass by itself is `Unavailable`, and what will not is `Rejected`, as for every endpoint."""
    error = kind("crm contacts: no", hint="look there")
    assert isinstance(error, Unavailable) is again
    assert isinstance(error, Rejected) is not again
    assert str(error) == "crm contacts: no; look there"


def test_a_record_keeps_absent_cleared_and_empty_apart() -> None:
    """Fields are as they are: None and the empty text are values, and another record has no part in them."""
    record = Record("1", {"phone": None, "name": ""})
    assert ("phone" in record.fields, "mail" in record.fields, record.fields["name"]) == (True, False, "")
    assert Record("2").fields == {}
