"""Parties that are made at the same time: the real server on SQLite would give them one number."""

from typing import Any
from uuid import uuid4

import anyio
import pytest

from routekit.remotes import Taken
from routekit_connectors import tryton

pytestmark = [pytest.mark.anyio, pytest.mark.real]


@pytest.fixture
def anyio_backend() -> str:
    """One event loop, as each call takes real time."""
    return "trio"


async def test_parties_that_are_made_at_once_get_numbers_of_their_own(host: Any, erp: str) -> None:
    """None of them is refused; a number that was given is taken, if another party has it."""
    made: list[str] = []
    async with tryton.parties(erp).open(host) as session:

        async def make() -> None:
            party = await session.create({"name": "Ada"}, key=uuid4().hex)
            made.append(party.id)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(make)
        codes = {str(record.fields["code"]) for record in await session.many(made)}
        assert len(codes) == 6
        with pytest.raises(Taken):
            await session.create({"name": "Bob", "code": codes.pop()}, key="k")
