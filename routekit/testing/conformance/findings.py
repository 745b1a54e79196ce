"""What was found out about endpoints: for each the promises, the cases that were tried, and whether they held."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...endpoint import Capabilities, Producer
from .applying import cases
from .contract import Contract

_WORSE = ("", "held", "skipped", "broken")
_HELD = {None: "", True: "yes", False: "**no**"}


def described(contract: type[Contract]) -> Mapping[str, Any]:
    """What is known of a trial before it runs, as plain data that gets from one process to another."""
    direction = "sink" if issubclass(contract.kind, Producer) else "source"
    return {
        "endpoint": f"{contract.kind.scheme} {direction}",
        "class": f"{contract.kind.__module__}.{contract.kind.__qualname__}",
        "promised": contract.promised.model_dump(mode="json"),
        "cases": [
            {
                "name": case.name,
                "holds": case.holds,
                "capability": case.capability,
                "inapplicable": contract.not_tried.get(case.name, ""),
            }
            for case in cases(contract)
        ],
    }


@dataclass
class Finding:
    """The trial of one endpoint; `outcomes` has the worst of each case: held, skipped or broken."""

    trial: str
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outcomes: dict[str, str] = field(default_factory=dict[str, str])

    def rows(self) -> Sequence[Mapping[str, str]]:
        """The cases, each with its outcome, or why there is none."""
        return [
            {
                "case": case["name"],
                "holds": case["holds"],
                "capability": case["capability"],
                "outcome": self._outcome(case),
            }
            for case in self.about["cases"]
        ]

    def _outcome(self, case: Mapping[str, str]) -> str:
        if case["inapplicable"]:
            return f"does not apply: {case['inapplicable']}"
        return self.outcomes.get(case["name"], "not run")

    def capabilities(self) -> Sequence[Mapping[str, Any]]:
        """What can be promised: whether it is, by how many cases it was tried, and whether it held."""
        return [self._capability(name) for name in Capabilities.model_fields]

    def _capability(self, name: str) -> Mapping[str, Any]:
        tried = [row["outcome"] for row in self.rows() if row["capability"] == name and row["outcome"] in _WORSE]
        promised = self.about["promised"][name]
        held = all(outcome == "held" for outcome in tried) if tried and promised else None
        return {"capability": name, "promised": promised, "tried": len(tried), "held": held}

    def counts(self) -> tuple[int, int, int]:
        """How many cases held, how many were tried, and how many do not apply."""
        outcomes = [row["outcome"] for row in self.rows()]
        tried = [outcome for outcome in outcomes if outcome in ("held", "broken")]
        return tried.count("held"), len(tried), sum(one.startswith("does not apply") for one in outcomes)

    def broken(self) -> Sequence[str]:
        """The cases that did not hold."""
        return [row["case"] for row in self.rows() if row["outcome"] == "broken"]


class Findings:
    """All trials of a run, in their order."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def note(self, found: Mapping[str, Any], outcome: str) -> None:
        """Note a report of pytest: there are several for each test."""
        finding = self._found.setdefault(found["trial"], Finding(found["trial"]))
        finding.about = found.get("described", finding.about)
        word = {"failed": "broken", "skipped": "skipped"}.get(outcome, "held")
        before = finding.outcomes.get(found["case"], "")
        finding.outcomes[found["case"]] = max(before, word, key=_WORSE.index)

    def all(self) -> Sequence[tuple[str, Finding]]:
        """The trials by name: that of the endpoint, and that of the test class where there are several."""
        endpoints = [finding.about["endpoint"] for finding in self._found.values()]
        return [
            (self._name(finding, alone=endpoints.count(finding.about["endpoint"]) == 1), finding)
            for finding in self._found.values()
        ]

    def _name(self, finding: Finding, *, alone: bool) -> str:
        return finding.about["endpoint"] + ("" if alone else f" ({finding.trial.rpartition('::')[2]})")

    def lines(self) -> Sequence[tuple[str, bool]]:
        """A line for each, and whether all is well."""
        found: list[tuple[str, bool]] = []
        for name, finding in self.all():
            held, tried, inapplicable = finding.counts()
            broken = f"; broken: {', '.join(finding.broken())}" if held < tried else ""
            others = f", {inapplicable} do not apply" if inapplicable else ""
            found.append((f"{name}: {held} of {tried} hold{others}{broken}", held == tried))
        return found

    def json(self) -> str:
        """All of it as data."""
        found = [
            {
                "name": name,
                "class": finding.about["class"],
                "trial": finding.trial,
                "capabilities": finding.capabilities(),
                "cases": finding.rows(),
            }
            for name, finding in self.all()
        ]
        return json.dumps({"endpoints": found}, indent=2, ensure_ascii=False) + "\n"

    def markdown(self) -> str:
        """All of it as tables."""
        return "# Conformance\n" + "".join(_section(name, finding) for name, finding in self.all())


def _section(name: str, finding: Finding) -> str:
    held, tried, inapplicable = finding.counts()
    heading = f"\n## {name}\n\n`{finding.about['class']}`, tried by `{finding.trial}`: {held} of {tried} hold"
    heading += f", {inapplicable} do not apply.\n" if inapplicable else ".\n"
    promises = [
        [one["capability"], _promise(one["promised"]), _count(one["tried"]), _HELD[one["held"]]]
        for one in finding.capabilities()
    ]
    rows = [[f"`{row['case']}`", row["holds"], row["outcome"]] for row in finding.rows()]
    return (
        heading
        + _table(["Capability", "Promised", "Tried by", "Held"], promises)
        + _table(["Case", "What must hold", "Outcome"], rows)
    )


def _promise(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _count(number: int) -> str:
    return {0: "", 1: "1 case"}.get(number, f"{number} cases")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
