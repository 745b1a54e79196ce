"""A short run on real parts: nothing is lost, though daemon, broker and database are killed and cut off at work.

`make chaos` does the long one. ROUTEKIT_CHAOS_SEED=7 gives another seed.
"""

import os
from pathlib import Path

import pytest

from chaos.run import Wanted, run
from chaos.stage import missing

SEED = int(os.environ.get("ROUTEKIT_CHAOS_SEED", "1"))


@pytest.fixture(autouse=True)
def servers() -> None:
    """Without the servers' programs the run is skipped, or fails where servers are required."""
    program = missing()
    if program is not None:
        reason = f"{program} is not installed: `make test`, as root on Debian, installs it"
        if os.environ.get("ROUTEKIT_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.timeout(1200)
@pytest.mark.real_time
def test_no_claim_is_broken_by_kills_and_cuts(tmp_path: Path) -> None:
    """Every order is stored once and invoiced, every bad message is a dead letter that says why, and no more."""
    outcome = run(Wanted(messages=1500, kills=4, faults=2, seed=SEED), tmp_path, print)
    print(outcome)
    assert outcome.ledger.holds, str(outcome)
