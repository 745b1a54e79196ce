"""The pytest plugin of the kit: what it marks, what it shows, what it writes, and what it costs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

TRIAL = '''
"""The queue of the core, and one that is wrong."""

from routekit import Flow, Policy, from_
from routekit.endpoints.queue import QueueSource
from routekit.testing import Inlet
from routekit.testing.conformance import SourceContract


class Silent(QueueSource):
    """It leaves a secret open."""

    password: str = ""


class TestQueue(SourceContract):
    kind = QueueSource
    in_virtual_time = True
    loops = ("asyncio",)

    def source(self):
        self.inlet = Inlet()
        return "queue:kit"

    def beside(self):
        return [from_(self.inlet, policy=Policy(dead_letter="refuse")).to("queue:kit")]

    async def put(self, message):
        await self.inlet.give(message)


class TestSilent(TestQueue):
    kind = Silent


def test_another():
    pass
'''
FEW = "says_what_it_is or secret_options or promises_what or in_order or another"


@pytest.fixture
def trial(pytester: pytest.Pytester) -> Path:
    """A test module as an author of a plugin writes it."""
    return pytester.makepyfile(test_trial=TRIAL)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "pytest_routekit", "-p", "no:cacheprovider", *arguments)


@pytest.mark.usefixtures("trial")
def test_the_terminal_has_a_line_for_each_endpoint(pytester: pytest.Pytester) -> None:
    """With the number of cases that hold, of those that do not apply, and the names of those that are broken."""
    result = run(pytester, "-k", FEW)
    result.stdout.re_match_lines(
        [
            r"=+ conformance =+",
            r"conformance: queue source \(TestQueue\): 4 of 4 hold, \d+ do not apply",
            r"conformance: queue source \(TestSilent\): 2 of 4 hold, \d+ do not apply; "
            r"broken: test_it_says_what_it_is, test_secret_options_are_declared",
        ]
    )
    result.assert_outcomes(passed=7, failed=2)


@pytest.mark.usefixtures("trial")
def test_a_failure_says_what_to_do(pytester: pytest.Pytester) -> None:
    """What must hold, where to look, and the page to read, also without the plugin."""
    for plugin in ("pytest_routekit", "no:pytest_routekit"):
        result = pytester.runpytest_subprocess(
            "-p", plugin, "-p", "no:cacheprovider", "-k", "Silent and secret_options"
        )
        result.stdout.fnmatch_lines(
            [
                "*AssertionError: these sound secret, and are no SecretStr: password*",
                "*It must hold: An option whose name says that it is secret is a `SecretStr`*",
                "*Where to look: Change the type of the field*",
                "*Read docs/plugins/conformance.md: test_secret_options_are_declared",
            ]
        )


@pytest.mark.usefixtures("trial")
def test_the_report_is_written_as_data(pytester: pytest.Pytester) -> None:
    """Each capability: promised, tried, held. Each case: what must hold, and its outcome."""
    run(pytester, "-k", FEW, "--conformance-report", "found.json")
    sound, silent = json.loads((pytester.path / "found.json").read_text(encoding="utf-8"))["endpoints"]
    assert (sound["name"], sound["class"]) == ("queue source (TestQueue)", "routekit.endpoints.queue.QueueSource")
    capabilities: dict[str, Any] = {one["capability"]: one for one in sound["capabilities"]}
    assert capabilities["ordered"] == {"capability": "ordered", "promised": True, "tried": 1, "held": True}
    assert capabilities["replayable"] == {"capability": "replayable", "promised": False, "tried": 0, "held": None}
    outcomes = {case["case"]: case["outcome"] for case in silent["cases"]}
    assert outcomes["test_secret_options_are_declared"] == "broken"
    assert outcomes["test_they_arrive_in_order"] == "held"
    assert outcomes["test_many_arrive_once_each"] == "not run"
    assert outcomes["test_it_outlives_a_cut"] == "does not apply: server not given"


@pytest.mark.usefixtures("trial")
def test_the_report_is_written_as_tables(pytester: pytest.Pytester) -> None:
    """In Markdown, with a table of capabilities and one of cases for each endpoint."""
    run(pytester, "-k", f"TestQueue and ({FEW})", "--conformance-report", "found.md")
    text = (pytester.path / "found.md").read_text(encoding="utf-8")
    assert "\n## queue source\n" in text
    assert "\n| ordered | yes | 1 case | yes |\n" in text
    assert (
        "\n| `test_they_arrive_in_order` | One at a time, messages come in the order in which they were put. | held |\n"
        in text
    )


def test_without_the_kit_nothing_is_reported(pytester: pytest.Pytester) -> None:
    """And a report that was asked for is not written, which it says."""
    pytester.makepyfile("def test_something():\n    pass")
    result = run(pytester, "--conformance-report", "found.md")
    result.stdout.fnmatch_lines(["conformance: no case was run, so found.md is not written"])
    assert "= conformance =" not in result.stdout.str()
    assert not (pytester.path / "found.md").exists()


@pytest.mark.usefixtures("trial")
def test_cases_are_marked(pytester: pytest.Pytester) -> None:
    """So that `-m conformance` runs them alone."""
    result = run(pytester, "--strict-markers", "-m", "conformance", "-k", FEW)
    result.assert_outcomes(passed=6, failed=2, deselected=result.parseoutcomes()["deselected"])
    result = run(pytester, "--strict-markers", "-m", "not conformance", "-k", FEW)
    assert result.parseoutcomes()["passed"] == 1


@pytest.mark.usefixtures("trial")
def test_the_kit_works_without_the_plugin(pytester: pytest.Pytester) -> None:
    """`-p no:pytest_routekit` takes away the report, and no case."""
    result = pytester.runpytest_subprocess("-p", "no:pytest_routekit", "--strict-markers", "-k", FEW)
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (7, 2)
    assert "conformance:" not in result.stdout.str()


def test_assertions_of_the_kit_are_explained(pytester: pytest.Pytester) -> None:
    """The plugin lets pytest rewrite the modules of the kit, so that a failure shows what was compared."""
    pytester.makepyfile(
        """
        from routekit.testing.conformance.sources import stopping

        def test_loader():
            assert type(stopping.__loader__).__name__ == "AssertionRewritingHook"
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_the_plugin_costs_nothing_to_others() -> None:
    """It imports nothing of RouteKit."""
    code = "import pytest_routekit, sys; sys.exit(any(name.partition('.')[0] == 'routekit' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
