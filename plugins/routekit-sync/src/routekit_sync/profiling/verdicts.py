"""What a check finds of each guarantee, as data and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What is known of a guarantee."""

    HOLDS = "holds"
    CANNOT = "cannot"
    """The system does not claim it: who works with it takes another way."""
    BROKEN = "broken"
    """It is claimed, or everybody relies on it, and it does not hold."""
    UNTRIED = "untried"
    """It could not be tried, for a reason that is said."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One thing that may be relied on, or not."""

    name: str
    says: str
    """What it means, in one sentence."""
    verdict: Verdict
    seen: str = ""
    """What was seen, or why it was not tried."""


def table(guarantees: Sequence[Guarantee]) -> str:
    """All of them as a table of text, one a line.

    >>> print(table([Guarantee("create", "A record is made.", Verdict.HOLDS, "id 7")]))
    create  holds  id 7
    """
    if not guarantees:
        return ""
    names = max(len(one.name) for one in guarantees)
    verdicts = max(len(one.verdict) for one in guarantees)
    lines = [f"{one.name:<{names}}  {one.verdict:<{verdicts}}  {one.seen or one.says}" for one in guarantees]
    return "\n".join(line.rstrip() for line in lines)


def broken(guarantees: Sequence[Guarantee]) -> Sequence[Guarantee]:
    """Those that are claimed and do not hold."""
    return [one for one in guarantees if one.verdict is Verdict.BROKEN]
