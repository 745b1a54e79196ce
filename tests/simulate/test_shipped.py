"""The routes and examples that we ship hold what they promise, whatever goes wrong."""

import importlib.util
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest

from routekit.testing import run_routes, simulate

ROOT = Path(__file__).parents[2]
OPTIONS = set(signature(run_routes).parameters)
EXAMPLES = sorted(path for path in ROOT.glob("examples/*.py") if "run_routes" in path.read_text(encoding="utf-8"))


class Taken(Exception):
    """The flows of an example, in place of their run."""


async def take(*flows: Any, **named: Any) -> None:
    raise Taken(*flows, *(flow for name, flow in named.items() if name not in OPTIONS))


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"simulated_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flows_of(path: Path) -> list[Any]:
    """The flows that an example would run."""
    module = imported(path)
    if not hasattr(module, "run_routes"):
        return []
    setattr(module, "run_routes", take)  # noqa: B010 - the name is the example's own
    try:
        anyio.run(module.main)
    except Taken as taken:
        return list(taken.args)
    return []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_holds_what_it_promises(path: Path) -> None:
    """Its flows, fed with its own messages, violate no invariant."""
    flows = flows_of(path)
    assert flows
    simulate(flows, seeds=8).expect()


def test_our_routes_hold_what_they_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The leads of three sources become contacts, and no row is lost."""
    pytest.importorskip("routekit_file")
    pytest.importorskip("routekit_sql")
    monkeypatch.chdir(ROOT)
    report = simulate("routes", seeds=3, messages=2)
    report.expect()
    assert not report.silent
