"""For tests: Tryton, BottleCRM and Roundup themselves, each in a folder of its own, on a free port of the loopback.

from routekit_connectors.testing import roundup_server  # a fixture: one server for all tests of a session

def test_something(roundup_server: Roundup) -> None:
    roundup_server.rest      # http://127.0.0.1:43211/rest
    roundup_server.kill()    # as a power cut
    roundup_server.start()   # on the same data

`make for-test` installs them; without them tests are skipped, or fail where `ROUTEKIT_REQUIRE_SERVERS` is set.
"""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

from .bottlecrm import BottleCRM
from .roundup import Roundup
from .servers import RealServer
from .tryton import Tryton

__all__ = ["BottleCRM", "RealServer", "Roundup", "Tryton", "bottlecrm_server", "roundup_server", "tryton_server"]

S = TypeVar("S", bound=RealServer)


@pytest.fixture(scope="session")
def tryton_server() -> Generator[Tryton]:
    """Tryton, for all tests."""
    yield from started(Tryton)


@pytest.fixture(scope="session")
def bottlecrm_server() -> Generator[BottleCRM]:
    """BottleCRM, for all tests."""
    yield from started(BottleCRM)


@pytest.fixture(scope="session")
def roundup_server() -> Generator[Roundup]:
    """Roundup, for all tests."""
    yield from started(Roundup)


def started(kind: type[S]) -> Generator[S]:
    """A server of that kind, for a fixture; without its programs the test is skipped, or fails where they must be."""
    reason = kind.missing()
    if reason is not None:
        if os.environ.get("ROUTEKIT_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    with kind() as server:
        yield server
