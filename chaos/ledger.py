"""The ledger: what had to come of the input, beside what is there. Lost, repeated, and unexplained are counted."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .broker import Found
from .orders import Expected, Fate

ONCE, AT_LEAST = "effectively-once", "at-least-once"
_SHOWN = 5
"""Examples that are printed of each finding."""


@dataclass
class Account:
    """One sink, and what was found in it. `again` are repetitions that have left no trace but in a count."""

    sink: str
    claim: str
    expected: int
    found: int
    lost: Sequence[object] = ()
    wrong: Sequence[object] = ()
    """What is there and must not be, or is otherwise than it must be."""
    repeated: Sequence[object] = ()
    again: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, nothing is wrong, and nothing is repeated that was claimed not to be."""
        return not (self.lost or self.wrong or (self.claim == ONCE and self.repeated))

    def faults(self) -> list[str]:
        """A line for each kind of finding that breaks the claim, with examples."""
        kinds = {"lost": self.lost, "wrong": self.wrong, "repeated": self.repeated if self.claim == ONCE else ()}
        return [
            f"{self.sink}: {len(found)} {kind}: {', '.join(map(str, list(found)[:_SHOWN]))}"
            for kind, found in kinds.items()
            if found
        ]


@dataclass
class Ledger:
    """All accounts of a run, and what else had to be so."""

    accounts: list[Account] = field(default_factory=list[Account])
    others: list[str] = field(default_factory=list[str])
    """Whatever else is wrong, as sentences."""

    @property
    def holds(self) -> bool:
        """Whether every claim was kept."""
        return not self.others and all(account.holds for account in self.accounts)

    def faults(self) -> list[str]:
        """What was not kept, in lines."""
        return [line for account in self.accounts for line in account.faults()] + self.others

    def __str__(self) -> str:
        head = ("sink", "claim", "expected", "found", "lost", "wrong", "repeated", "written again")
        rows = [
            (
                one.sink,
                one.claim,
                *(f"{n:,}" for n in (one.expected, one.found, len(one.lost), len(one.wrong))),
                f"{len(one.repeated):,}",
                f"{one.again:,}" if one.again else "",
            )
            for one in self.accounts
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        return "\n".join(_line(row, widths) for row in (head, *rows))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        text.ljust(width) if place < 2 else text.rjust(width)
        for place, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def table(sink: str, claim: str, expected: Mapping[Any, Any], found: Mapping[Any, Any], again: int) -> Account:
    """The rows of a table, which has at most one for each key."""
    lost = [key for key in expected if key not in found]
    wrong = [key for key, row in found.items() if expected.get(key) != row]
    return Account(sink, claim, len(expected), len(found), lost, wrong, again=again)


def journal(sink: str, claim: str, expected: Mapping[Any, Any], found: Sequence[tuple[Any, Any]]) -> Account:
    """The rows of a table that takes any number for each key."""
    counts = Counter(key for key, _ in found)
    lost = [key for key in expected if key not in counts]
    wrong = [key for key, row in found if expected.get(key) != row]
    repeated = [key for key, count in counts.items() if count > 1]
    return Account(sink, claim, len(expected), len(found), lost, wrong, repeated)


def queue(sink: str, claim: str, expected: Expected, found: Sequence[Found]) -> Account:
    """The invoices in a queue. One that came again has to have the body of the first, and the id, if its order had."""
    invoices = [(json.loads(one.body), one) for one in found]
    counts = Counter(invoice["number"] for invoice, _ in invoices)
    faces: dict[int, set[tuple[str, bytes]]] = {}
    for invoice, one in invoices:
        known_as = "" if invoice["number"] in expected.twins else one.id
        faces.setdefault(invoice["number"], set()).add((known_as, one.body))
    differing = [
        f"{number} came as {', '.join(sorted(one for one, _ in ways))}"
        for number, ways in faces.items()
        if len(ways) > 1
    ]
    bodies = {invoice["number"]: (invoice["customer"], invoice["lines"], invoice["cents"]) for invoice, _ in invoices}
    wrong = [number for number, row in bodies.items() if expected.totals.get(number) != row]
    lost = [number for number in expected.totals if number not in counts]
    repeated = [number for number, count in counts.items() if count > 1]
    return Account(sink, claim, len(expected.totals), len(found), lost, [*wrong, *differing], repeated)


def letters(expected: Mapping[str, Fate], found: Sequence[Mapping[str, Any]]) -> Account:
    """The dead letters: each has to be one that was planned, and to say why."""
    counts = Counter(letter["message_id"] for letter in found)
    wrong = [
        f"{letter['message_id']} at {letter['step']}: {letter['error']}: {letter['reason']}"
        for letter in found
        if not _explained(letter, expected.get(letter["message_id"]))
    ]
    lost = [one for one in expected if one not in counts]
    repeated = [one for one, count in counts.items() if count > 1]
    return Account("dead letters", AT_LEAST, len(expected), len(found), lost, wrong, repeated)


def _explained(letter: Mapping[str, Any], fate: Fate | None) -> bool:
    return fate is not None and fate.error == letter["error"] and fate.word in letter["reason"]
