"""How good the files of a source are: which columns are filled, and why rows were refused; a report for each file."""

import re
from collections import Counter, OrderedDict
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from routekit import Message, Tally

from .models import Lead, Reject

MOST: Final = 100
"""Files whose rows are counted at once; more than are read at once."""


class Cause(BaseModel):
    """A reason for which rows were refused, some of them for others too; `example` is the first one's row."""

    model_config = ConfigDict(frozen=True)

    column: str
    reason: str
    rows: int
    example: int


class Quality(BaseModel):
    """What a file was worth: shares are of the rows that were not refused, from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    file: str
    at: datetime = Field(description="when it was read to its end")
    rows: int
    written: int
    duplicates: int = Field(description="rows of an address that is known already")
    rejected: int
    filled: dict[str, float] = Field(description="for each column that may be empty, the share of rows that have it")
    causes: list[Cause] = Field(description="the most frequent first")


class Counting:
    """Counts the rows of one file; begun anew when the file is tried again."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.rows = 0
        self.filled: Counter[str] = Counter()
        self.causes: dict[tuple[str, str], list[int]] = {}


class Files:
    """The files that are being read, by the id of their message."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, Counting] = OrderedDict()

    def of(self, message: Message[Any]) -> Counting:
        """The counts of the file that a row is of."""
        file, attempt = message.id.rpartition("/")[0], message.meta.attempt
        known = self._files.get(file)
        if known is None or known.attempt < attempt:
            known = self._files[file] = Counting(attempt)
            if len(self._files) > MOST:
                self._files.popitem(last=False)
        return known

    def end(self, file: str) -> Counting:
        """The counts of a file that has been read to its end, which are forgotten."""
        return self._files.pop(file, Counting(0))


FILES: Final = Files()


def counted(lead: Lead, message: Message[Lead]) -> Lead:
    """The lead itself, counted for the report of its file."""
    counting = FILES.of(message)
    counting.rows += 1
    counting.filled.update(name for name in OPTIONAL if getattr(lead, name) not in (None, ""))
    return lead


def refused(reject: Reject, message: Message[Reject]) -> Reject:
    """The reject itself, counted by its cause; values are left out, so that causes that are alike are one."""
    causes = FILES.of(message).causes
    for column, reason in _reasons(reject):
        causes.setdefault((column, _VALUE.sub("...", reason)), [0, reject.row])[0] += 1
    return reject


def _reasons(reject: Reject) -> list[tuple[str, str]]:
    """What is wrong with each column, where several are."""
    if ", " not in reject.column:
        return [(reject.column, reject.reason)]
    told = (part.partition(": ") for part in reject.reason.split("; "))
    return [(column, reason) for column, _, reason in told]


def report(tally: Tally, message: Message[Tally]) -> Quality:
    """The report of a file that has been read to its end."""
    counting = FILES.end(message.id)
    causes = sorted(counting.causes.items(), key=lambda one: -one[1][0])
    return Quality(
        file=message.headers["file.name"],
        at=datetime.now(UTC),
        rows=tally.total,
        written=tally.done,
        duplicates=tally.ended,
        rejected=tally.failed,
        filled={name: round(counting.filled[name] / max(1, counting.rows), 4) for name in OPTIONAL},
        causes=[Cause(column=column, reason=why, rows=rows, example=row) for (column, why), (rows, row) in causes],
    )


def report_line(found: Quality) -> str:
    """The report in one line of the log."""
    filled = ", ".join(f"{name} {share:.0%}" for name, share in found.filled.items())
    causes = ", ".join(f"{one.rows:,} x {one.column} {one.reason}" for one in found.causes[:3])
    return f"{found.file}: filled: {filled}" + (f"; refused: {causes}" if causes else "")


OPTIONAL: Final = ("first_name", "phone", "company", "country", "budget")
"""The columns that may be empty."""

_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")
