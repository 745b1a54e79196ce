"""Makes lead files of three sources as they really come: dirty, in three dialects, with known contents.

    python -m examples.data.make_leads --rows 3000 --seed 11 --dirt 0.5 --out examples/data/leads

The same arguments make the same bytes. `expected.json` says what must come of them, known from how they were made
and not from cleansing them: for each file its rows, how many give a new contact (files taken in the order web, fair,
partner), how many repeat one, and how many are refused by reason; in all, the contacts and a fingerprint of them
that does not depend on the order.
"""

import argparse
import csv
import hashlib
import io
import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from random import Random
from typing import BinaryIO

from .dirt import Cells, Defect, defects, phone_as_typed, soil
from .people import Person, person, writable
from .sources import SOURCES, Source, budget, date, whole_name


@dataclass
class Expected:
    """What must come of a file."""

    rows: int = 0
    clean: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])

    def add(self, other: "Expected") -> None:
        """Count in what is expected of another file."""
        self.rows += other.rows
        self.clean += other.clean
        self.duplicates += other.duplicates
        self.rejected += other.rejected

    def shown(self) -> dict[str, object]:
        """As JSON shows it."""
        refused = dict(sorted(self.rejected.items()))
        return {"rows": self.rows, "clean": self.clean, "duplicates": self.duplicates, "rejected": refused}


class Leads:
    """Rows of all sources, from one seed; remembers who was in a file before, as people come back."""

    RECALLED = 5_000

    def __init__(self, rng: Random, dirt: float) -> None:
        self.rng = rng
        self.dirt = dirt
        self.people = 0
        self.known: deque[Person] = deque(maxlen=self.RECALLED)
        self.contacts = 0
        self.vips = 0
        self.fingerprint = 0

    def rows(self, source: Source, count: int, expected: Expected) -> Iterator[list[str]]:
        """The rows of a source, without its header; an empty one is an empty line and does not count."""
        kinds = defects(source.name)
        last: list[str] = []
        while expected.rows < count - source.truncated:
            if self.rng.random() < 0.02 * self.dirt:
                yield []
            expected.rows += 1
            chance = self.rng.random()
            if chance < 0.03 * self.dirt and last:
                expected.duplicates += 1
                yield last
            elif chance < 0.15 * self.dirt and (known := self._recalled(source)):
                expected.duplicates += 1
                yield list(self._cells(source, known).values())
            elif chance < 0.40 * self.dirt:
                kind = self.rng.choice(("ragged", *kinds))
                expected.rejected[kind] += 1
                cells = self._cells(source, self._somebody(source))
                yield self._ragged(cells) if kind == "ragged" else self._spoiled(cells, kinds[kind])
            else:
                expected.clean += 1
                last = list(self._cells(source, self._welcomed(source)).values())
                yield last
        if source.truncated and expected.rows < count:
            expected.rows += 1
            expected.rejected["ragged"] += 1
            yield list(self._cells(source, self._somebody(source)).values())[:2]

    def _somebody(self, source: Source) -> Person:
        self.people += 1
        return person(self.rng, self.people, euro=source.name != "partner", encoding=source.encoding)

    def _welcomed(self, source: Source) -> Person:
        """Somebody new whose row is sound: a contact."""
        new = self._somebody(source)
        self.known.append(new)
        self.contacts += 1
        self.vips += new.budget is not None and new.budget >= 5_000_000
        self.fingerprint = (self.fingerprint + fingerprint(_meant(new))) % (1 << 128)
        return new

    def _recalled(self, source: Source) -> Person | None:
        """Somebody who was in a file before and whom this source can write down without loss."""
        if not self.known:
            return None
        known = self.known[self.rng.randrange(len(self.known))]
        fits = source.name == "partner" or known.currency in ("", "EUR")
        return known if fits and writable(known.first + known.last, source.encoding) else None

    def _cells(self, source: Source, who: Person) -> Cells:
        """A person as the source writes it, in the order of its columns, badly spelled here and there."""
        rng = self.rng
        cells = {
            "first": who.first,
            "last": who.last,
            "name": whole_name(rng, who),
            "email": who.email,
            "phone": phone_as_typed(rng, who),
            "company": who.company or rng.choice(("", "", "n/a")),
            "country": rng.choice(("", "-") if who.abroad else who.country.names),
            "budget": budget(rng, source.name, who),
            "date": date(rng, source.name),
            "consent": rng.choice(("yes", "true", "1", "on", "Ja", " yes ")),
        }
        row = {key: cells[key] for key in source.columns}
        soil(rng, row, 0.3 * self.dirt, source.encoding)
        return row

    def _spoiled(self, cells: Cells, defect: Defect) -> list[str]:
        defect(self.rng, cells)
        return list(cells.values())

    def _ragged(self, cells: Cells) -> list[str]:
        """A row with one to three fields too few or too many."""
        row, change = list(cells.values()), self.rng.randrange(1, 4)
        return row[:-change] if self.rng.random() < 0.5 else row + ["and more"] * change


def make(out: Path, *, rows: int, seed: int, dirt: float) -> dict[str, object]:
    """Write the three files and `expected.json` under `out`; gives what is expected."""
    leads = Leads(Random(seed), dirt)
    files: dict[str, object] = {}
    total = Expected()
    for source in SOURCES:
        path = out / source.name / source.file
        path.parent.mkdir(parents=True, exist_ok=True)
        expected = Expected()
        with path.open("wb") as stream:
            _write(stream, source, leads.rows(source, round(rows * source.share), expected))
        files[f"{source.name}/{source.file}"] = expected.shown()
        total.add(expected)
    outcome: dict[str, object] = {
        "made": {"rows": rows, "seed": seed, "dirt": dirt},
        "files": files,
        "total": total.shown(),
        "contacts": leads.contacts,
        "vips": leads.vips,
        "fingerprint": f"{leads.fingerprint:032x}",
    }
    text = json.dumps(outcome, indent=2, ensure_ascii=False)
    (out / "expected.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    return outcome


def fingerprint(contact: Iterable[str | int | None]) -> int:
    """A number for a contact; the sum over all contacts, modulo 2**128, is the fingerprint of a table.

    The values: email, first_name, last_name, phone, company, country, budget_cents, currency.
    """
    text = json.dumps(list(contact), ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def _meant(who: Person) -> Iterable[str | int | None]:
    country = None if who.abroad else who.country.code
    money = (who.budget, who.currency or None)
    return (who.email, who.first, who.last, who.phone or None, who.company or None, country, *money)


def _write(stream: BinaryIO, source: Source, rows: Iterable[list[str]]) -> None:
    stream.write(source.start)
    block = io.StringIO(newline="")
    writer = csv.writer(block, delimiter=source.delimiter, lineterminator=source.line_end)
    last = ""
    for row in chain([list(source.columns.values())], rows):
        stream.write(last.encode(source.encoding, "surrogateescape"))
        writer.writerow(row)
        last = block.getvalue()
        block.seek(0)
        block.truncate()
    if source.truncated:  # as if the sender's disk had been full in the middle of a row
        last = last.rstrip()
    stream.write(last.encode(source.encoding, "surrogateescape"))


def main() -> None:
    """Read the command line and say what was made."""
    parser = argparse.ArgumentParser(description="Make lead files of three sources, dirty and with known contents.")
    parser.add_argument("--rows", type=int, default=3_000, help="rows of all files together (default: 3000)")
    parser.add_argument("--seed", type=int, default=11, help="another seed, other people (default: 11)")
    parser.add_argument("--dirt", type=float, default=0.5, help="0 is clean, 1 is a third refused (default: 0.5)")
    parser.add_argument("--out", type=Path, default=Path("examples/data/leads"), help="folder to write into")
    asked = parser.parse_args()
    if asked.rows < 0 or not 0 <= asked.dirt <= 1:
        parser.error("--rows is 0 or more, --dirt between 0 and 1")
    print(json.dumps(make(asked.out, rows=asked.rows, seed=asked.seed, dirt=asked.dirt), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
