"""A short run on real parts: nothing is lost, though daemon, broker and database are killed and cut off at work.

`make chaos` does the long one. ROUTEKIT_CHAOS_SEED=7 gives another seed.
"""

import os
from pathlib import Path

import pytest

from chaos.run import Wanted, run
from chaos.stage import POSTGRESQL, missing

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


ONE = Wanted(messages=1000, kills=4, faults=2, seed=SEED)
TWO = Wanted(messages=500, kills=3, faults=0, seed=SEED, daemons=2, store=POSTGRESQL, durable=True)


@pytest.mark.timeout(1200)
@pytest.mark.real_time
@pytest.mark.parametrize("wanted", [ONE, TWO], ids=["one daemon", "two on one store"])
def test_no_claim_is_broken_by_kills_and_cuts(wanted: Wanted, tmp_path: Path) -> None:
    """Every order is stored and booked once, every bad message is a dead letter that says why, and no more."""
    outcome = run(wanted, tmp_path, print)
    print(outcome)
    assert outcome.ledger.holds, str(outcome)
