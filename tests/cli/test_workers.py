"""`serve --workers` before anything runs: what it needs, and what is wrong."""

from typing import Any

import pytest

ROUTES = """
from routekit import from_

beats = from_("timer:beat?every=10ms&repeat=3", int).log("{body}")
"""


@pytest.mark.parametrize(
    "arguments", [("--set", "store=memory:", "serve", "routes/", "--workers", "2"), ("serve", "routes/")]
)
def test_a_store_for_one_process_is_refused(routekit: Any, arguments: tuple[str, ...]) -> None:
    """SQLite and memory are for one process: nothing is started, and it says what to do."""
    routekit.write("routes/work.py", ROUTES)
    routekit.write("routekit.toml", "[routekit]\nworkers = 2\n[control]\nlisten = ''\n")
    result = routekit(*arguments)
    assert result.code == 2
    assert "2 workers need a store that several processes share" in result.err
    assert "postgresql://host/database" in result.err
    assert "[worker-1]" not in result.err


def test_problems_are_found_before_any_worker_is_started(routekit: Any) -> None:
    """A wrong route is told once, not by each of them."""
    routekit.write("routes/work.py", ROUTES.replace("timer:", "tmier:"))
    result = routekit("serve", "routes/", "--workers", "2")
    assert result.code == 2
    assert result.err.count("did you mean 'timer'?") == 1


def test_no_workers_are_no_number(routekit: Any) -> None:
    """At least one."""
    routekit.write("routes/work.py", ROUTES)
    assert routekit("serve", "routes/", "--workers", "0").code == 2
