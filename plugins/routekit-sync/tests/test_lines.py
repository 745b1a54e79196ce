"""A cycle in one line, for the log and for people."""

from routekit_sync.lines import line_of, p99
from routekit_sync.summary import Summary


def test_all_that_was_done_is_in_the_line() -> None:
    """Each direction with its writes, conflicts, quarantine with the reasons, and the lag."""
    summary = Summary("customers", conflicts=2, quarantined=3)
    for _ in range(12):
        summary.wrote("create", "b", 4.2)
    summary.wrote("update", "b", 1.0)
    summary.wrote("update", "a", None)
    assert line_of(summary, ["refused", "refused", "unclear"]) == (
        "customers  A→B 12 created 1 updated  B→A 1 updated  conflicts 2  "
        "quarantined 3 (refused 2, unclear)  lag p99 4.2s"
    )


def test_nothing_to_do_is_said() -> None:
    """Not as an empty line; and what stopped a cycle is named."""
    assert line_of(Summary("customers")) == "customers  nothing to write  conflicts 0  quarantined 0"
    stopped = Summary("customers", complete=False, note="crm is away", drift=4)
    assert line_of(stopped).endswith("quarantined 0  drift 4  not complete: crm is away")


def test_the_lag_is_of_99_in_100() -> None:
    """One that is late among a hundred does not count; without stamps nothing is said."""
    summary = Summary("customers", lags=[*[1.0] * 100, 50.0])
    assert p99(summary) == 1.0
    assert p99(Summary("customers")) is None
