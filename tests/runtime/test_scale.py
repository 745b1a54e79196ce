"""The start of many routes costs as much for each of them as that of few, counted in calls."""

import sys
from typing import Any

import anyio

from routekit import Policy, Route, Runs, from_
from routekit.check import check
from routekit.plugins import Catalog
from routekit.runtime.service import Service
from routekit.testing import Run, setup_for, virtual


def routes(count: int) -> list[Route]:
    """Routes that are called, call others, and start after others: each as the one before it."""

    def one(number: int) -> Route:
        source = f"direct:r{number}" if number % 4 else f"timer:t{number}?every=1h"
        after = Policy(runs=Runs(after=f"r{number - 1}")) if number % 4 == 2 else None
        flow = from_(source, int, policy=after).filter(lambda n: n > number).transform(lambda n: n + number)
        return (flow.to(f"direct:r{number + 1}") if number % 4 < 3 else flow.to("mock:end")).route(f"r{number}")

    return [one(number) for number in range(count)]


def calls(count: int) -> float:
    """Python calls for each of so many routes, from their definition until all run."""
    total = 0

    def counted(frame: Any, event: str, arg: Any) -> None:
        nonlocal total
        total += event == "call"

    async def start() -> None:
        service = Service(defined, setup_for(Run(), catalog=catalog, metrics=True))
        async with service.started():
            for runner in service.runners:
                await runner.up.wait()
            sys.setprofile(None)

    catalog = Catalog()
    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        defined = routes(count)
        assert check(defined, catalog) == []
        backend, options = virtual()
        anyio.run(start, backend=backend, backend_options=options)
    finally:
        sys.setprofile(before)
    return total / count


def test_the_cost_of_a_route_is_flat() -> None:
    """Ten times as many routes take ten times as many calls to check and start, and not more."""
    calls(4)  # what is imported and cached on first use
    few, many = calls(40), calls(400)
    assert many < few * 1.05, (few, many)
