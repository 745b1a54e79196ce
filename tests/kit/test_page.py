"""The page on the conformance kit names every case, and all that an author may give."""

import re
from pathlib import Path
from typing import Any

from routekit.endpoints.queue import QueueSource
from routekit.testing.conformance import Case, Contract, SinkContract, SourceContract, cases
from routekit.testing.conformance.applying import PAGE
from routekit.testing.conformance.looking import Looking
from routekit.testing.conformance.sinks.given import SinkGiven
from routekit.testing.conformance.sources.given import SourceGiven

TEXT = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
MADE_BY_THE_KIT = {"promised", "not_tried", "kind", "address"}
HEAD = "| Case | What must hold | Tried | If it does not |\n|---|---|---|---|\n"


def table(found: list[Case]) -> str:
    """The cases, as the page has to show them."""
    return HEAD + "".join(f"| `{case.name}` | {case.holds} | {case.applies} | {case.advice} |\n" for case in found)


def others(contract: type[Any]) -> list[Case]:
    """The cases of a direction that not every endpoint has."""
    shared = {case.name for case in cases(Looking)}
    return [case for case in cases(contract) if case.name not in shared]


def test_each_case_is_on_the_page() -> None:
    """With the sentence that must hold, when it is tried, and what to do if it does not hold."""
    for found in (cases(Looking), others(SourceContract), others(SinkContract)):
        assert table(found) in TEXT, f"write this into {PAGE}:\n{table(found)}"


def test_each_case_has_its_sentences() -> None:
    """One sentence that must hold, and an advice, both with a full stop."""
    for case in (*cases(SourceContract), *cases(SinkContract)):
        assert case.name.startswith("test_")
        assert case.holds.endswith("."), case.name
        assert case.advice.endswith("."), case.name


def test_what_may_be_given_is_on_the_page() -> None:
    """Every value and every hook of the contracts has a line."""
    named = set(re.findall(r"^\| `(\w+)", TEXT, flags=re.MULTILINE))
    values = {name for base in (Contract, SourceGiven, SinkGiven) for name in base.__annotations__}
    hooks = {
        name
        for base in (Contract, SourceGiven, SinkGiven)
        for name, value in vars(base).items()
        if getattr(value, "__routekit_open__", False)
    }
    assert values - MADE_BY_THE_KIT | hooks <= named
    assert {name for name in named if not name.startswith("test_")} <= set(dir(SourceContract)) | set(dir(SinkContract))


def test_a_case_may_be_left_out() -> None:
    """By None under its name; then it is no case of the class."""

    class Trial(SourceContract):
        kind = QueueSource
        test_it_rests_when_there_is_nothing = None

    assert "test_it_rests_when_there_is_nothing" not in {case.name for case in cases(Trial)}
    assert Trial.test_it_rests_when_there_is_nothing is None
