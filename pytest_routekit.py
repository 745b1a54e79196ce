"""The pytest plugin of RouteKit's conformance kit: marks its cases, and reports what each endpoint holds.

It imports nothing of RouteKit before a test module has, so that it costs nothing where the kit is not used.
"""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

KIT = "routekit.testing.conformance"
MARK = "conformance"
pytest.register_assert_rewrite(KIT)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--conformance-report FILE`."""
    parser.getgroup("routekit").addoption(
        "--conformance-report",
        metavar="FILE",
        help="write what each endpoint promises, what was tried and what held: JSON if FILE ends with .json, else "
        "Markdown",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The mark, and what collects the outcomes."""
    config.addinivalue_line("markers", f"{MARK}: a case of RouteKit's conformance kit")
    config.pluginmanager.register(_Reporting(config), "routekit-conformance")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is a case of the kit."""
    if _is_case(item):
        item.add_marker(MARK)


def _is_case(item: pytest.Item) -> bool:
    kit = sys.modules.get(KIT)
    contract = _contract(item)
    return kit is not None and isinstance(contract, type) and issubclass(contract, kit.Contract)


def _contract(item: pytest.Item) -> Any:
    return getattr(item, "cls", None)


class _Reporting:
    """Gathers outcomes; where tests run in several processes, in the one that shows them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._findings: Any = None
        self._described: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write onto the report what it is about: a report gets to other processes."""
        report = yield
        if _is_case(item):
            from routekit.testing.conformance.findings import described

            trial = item.nodeid.rpartition("::")[0]
            found = {"trial": trial, "case": getattr(item, "originalname", item.name)}
            if trial not in self._described:
                self._described.add(trial)
                found["described"] = described(_contract(item))
            setattr(report, MARK, found)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome."""
        found = getattr(report, MARK, None)
        if found is None or hasattr(self._config, "workerinput"):
            return
        if self._findings is None:
            from routekit.testing.conformance.findings import Findings

            self._findings = Findings()
        self._findings.note(found, report.outcome)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A line for each endpoint, and the file if one is wanted."""
        file = self._config.getoption("--conformance-report")
        if self._findings is None:
            if file and not hasattr(self._config, "workerinput"):
                terminalreporter.write_line(f"conformance: no case was run, so {file} is not written", yellow=True)
            return
        terminalreporter.section("conformance")
        for line, holds in self._findings.lines():
            terminalreporter.write_line(f"conformance: {line}", green=holds, red=not holds)
        if file:
            text = self._findings.json() if file.endswith(".json") else self._findings.markdown()
            Path(file).write_text(text, encoding="utf-8")
            terminalreporter.write_line(f"conformance: written to {file}")
