"""The kit finds what is wrong with a faulty plugin: exactly the tests fail that are meant to."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from routekit import Endpoint, Producer
from routekit.testing.conformance import SinkContract, SourceContract, cases

from .faulty import bells, pipes, sinks, sources
from .faulty.finding import FOUND, named

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
TRIAL = Path(__file__).parent / "faulty" / "trial.py"
FAULTS = {named(kind): found for kind, found in FOUND.items()}

assert {bells, pipes, sinks, sources}  # importing them is what fills FOUND


@pytest.fixture(autouse=True)
def left_open() -> Iterator[None]:
    """What faulty plugins leave open is collected in silence: that they leave it is the fault."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("fault", FAULTS)
def test_exactly_the_tests_fail_that_are_meant_to(
    fault: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No fault passes, and none makes a test fail that is not about it."""
    monkeypatch.setenv("KIT_FAULT", fault)
    ran = pytester.inline_run("-q", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT, "-p", "no:cacheprovider", TRIAL)
    reports = [report for report in ran.getreports("pytest_runtest_logreport") if report.when == "call"]
    failed = {report.nodeid.rpartition("::")[2] for report in reports if report.failed}
    assert len(reports) > 20
    assert {name if "asyncio-" in name else name.partition("[")[0] for name in failed} == FAULTS[fault]


def test_each_case_is_about_a_fault() -> None:
    """For each case of the kit there is a faulty plugin that it finds, in each direction unless both share it."""
    shared = {case.name for case in cases(SourceContract)} & {case.name for case in cases(SinkContract)}
    found = {
        base: {name.partition("[")[0] for kind, names in FOUND.items() if issubclass(kind, base) for name in names}
        for base in (Producer, Endpoint)
    }
    assert not {case.name for case in cases(SinkContract)} - shared - found[Producer]
    assert not {case.name for case in cases(SourceContract)} - found[Endpoint]
