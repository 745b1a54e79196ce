"""mock:"""

import anyio
import pytest

from routekit import Policy, Retry, from_
from routekit.endpoints.mock import Mocks, mocks
from routekit.runtime.service import Service
from routekit.testing import Feed, Run, routes_of, run_routes, setup_for

pytestmark = pytest.mark.anyio


async def test_it_fails_as_often_as_told_then_remembers() -> None:
    """As if the other side were away for a while."""
    run = await run_routes(from_(Feed([1]), int, policy=Policy(retry=Retry(5))).to("mock:m?fail=3"))
    assert run.counts["route-1"].retried == 3
    run = await run_routes(from_(Feed([1, 2]), int).to("mock:m?fail=1"))
    assert [(letter.error, letter.body) for letter in run.letters] == [("Unavailable", 1)]


def test_it_keeps_the_newest() -> None:
    """No more than `keep`; each name has its own."""
    kept = Mocks()
    for number in range(5):
        kept.received("a", 3).append(number)  # type: ignore[arg-type]
    assert list(kept.received("a", 3)) == [2, 3, 4]
    assert list(kept.received("b", 3)) == []


async def test_what_it_received_is_shared_by_the_routes_of_a_service() -> None:
    """By its name."""
    service = Service(
        routes_of(from_(Feed([1]), int).to("mock:m"), from_(Feed([2]), int).to("mock:m")), setup_for(Run())
    )
    async with service.started():
        shared = service.runners[0]._services.shared
        found = await shared.get(mocks)
        await anyio.sleep(1)
        assert sorted(message.body for message in found["m"]) == [1, 2]
