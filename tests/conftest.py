"""Both event loops for every test, in virtual time: nothing sleeps in wall time.

A test that needs the real clock, because threads, files or sockets take real time, is marked `real_time`.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from routekit.testing import virtual

settings.register_profile("virtual", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("virtual")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_time: runs by the real clock, for tests with threads, files or sockets")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Each backend; its clock jumps to the next timer as soon as all tasks wait."""
    if request.node.get_closest_marker("real_time"):
        return request.param
    return virtual(request.param)


@pytest.fixture(params=["asyncio", "trio"])
def real_backend(request: pytest.FixtureRequest) -> str:
    """Each backend by the real clock, for a module that names its `anyio_backend` after it."""
    return request.param
