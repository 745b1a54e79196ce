"""Real servers for the proofs over several plugins."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from routekit_rabbitmq.testing import Server, installed
from routekit_sql.testing import PostgreSQL


def _missing(reason: str) -> None:
    if os.environ.get("ROUTEKIT_REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def postgresql() -> Generator[PostgreSQL]:
    """A server whose data survives a kill."""
    if PostgreSQL.missing():
        _missing("PostgreSQL is not installed")
    with PostgreSQL(durable=True) as server:
        yield server


@pytest.fixture
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A broker, whose data survives a kill."""
    if installed() is None:
        _missing("RabbitMQ is not installed")
    folder: Path = tmp_path_factory.mktemp("rabbitmq")
    with Server(folder) as server:
        yield server
