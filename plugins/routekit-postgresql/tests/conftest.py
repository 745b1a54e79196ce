"""A server for all tests, and stores in it: each test has a schema of its own."""

import os
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from itertools import count
from time import time
from typing import Any

import pytest

from routekit import Store
from routekit.testing import Catalog
from routekit_postgresql.testing import PostgreSQL

_numbers = count(1)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Drivers run in threads, so it may be any."""
    return request.param


@pytest.fixture(scope="session")
def server() -> Generator[PostgreSQL]:
    """A server for all tests; without its programs they are skipped, or fail where servers are required."""
    missing = PostgreSQL.missing()
    if missing:
        reason = f"{missing} is not installed: `make test`, as root on Debian, installs PostgreSQL"
        if os.environ.get("ROUTEKIT_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def schema() -> str:
    """A schema that nobody has used."""
    return f"s{next(_numbers)}"


@pytest.fixture
def opened(server: PostgreSQL, schema: str) -> Callable[..., AbstractAsyncContextManager[Store]]:
    """Opens the store of the test, as often as it is called."""

    def opened(
        now: Callable[[], float] = time,
        /,
        server: PostgreSQL = server,
        schema: str = schema,
        uri: str = "",
        **options: Any,
    ) -> AbstractAsyncContextManager[Store]:
        return Catalog().open_store(uri or server.store(schema, **options), now)

    return opened
