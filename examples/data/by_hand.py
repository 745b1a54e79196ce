"""The lead routes' work written by hand: plain loops, csv and SQLAlchemy, with the same models and cleansing.

    python -m examples.data.by_hand examples/data/leads contacts.db

What a developer would write in an afternoon, so that the routes can be measured against it. It commits every 500
contacts and knows nothing of retries, restarts or files that arrive while it runs.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Boolean, Column, Connection, Engine, Integer, MetaData, String, Table, create_engine
from sqlalchemy.dialects.sqlite import insert

from routekit import BodyError
from routes.cleansing import as_contact, as_reject, fair_lead, partner_lead, web_lead
from routes.models import Contact, FairLead, Lead, PartnerLead, Reject, WebLead

BATCH = 500

CONTACTS = Table(
    "contacts",
    MetaData(),
    Column("email", String(254), primary_key=True),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("phone", String(16)),
    Column("company", String(200)),
    Column("country", String(2)),
    Column("budget_cents", Integer),
    Column("currency", String(3)),
    Column("vip", Boolean, nullable=False),
    Column("source", String(20), nullable=False),
    Column("lead_at", String(20), nullable=False),
)


class Feed(NamedTuple):
    """Where the files of a source lie, how they are written, and how a row of them becomes a lead."""

    folder: str
    encoding: str
    delimiter: str
    lead: Callable[[dict[str, str]], Lead]


def _web(row: dict[str, str]) -> Lead:
    return web_lead(WebLead.model_validate(row))


def _fair(row: dict[str, str]) -> Lead:
    return fair_lead(FairLead.model_validate(row))


def _partner(row: dict[str, str]) -> Lead:
    return partner_lead(PartnerLead.model_validate(row))


FEEDS = (
    Feed("web", "utf-8-sig", ",", _web),
    Feed("fair", "cp1252", ";", _fair),
    Feed("partner", "utf-8-sig", "\t", _partner),
)


@dataclass
class Counts:
    """What became of a file's rows."""

    rows: int = 0
    clean: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])


def load(folder: Path, engine: Engine, rejects: Path) -> dict[str, Counts]:
    """Upsert the contacts of all lead files under `folder`, and write the refused rows; gives counts by file."""
    counts: dict[str, Counts] = {}
    seen: set[str] = set()
    with rejects.open("w", encoding="utf-8", newline="") as stream, engine.connect() as connection:
        CONTACTS.create(connection, checkfirst=True)
        writer = csv.writer(stream)
        writer.writerow(Reject.model_fields)
        for feed in FEEDS:
            for path in sorted((folder / feed.folder).iterdir()):
                counts[f"{feed.folder}/{path.name}"] = _load(path, feed, connection, writer, seen)
    return counts


def _load(path: Path, feed: Feed, connection: Connection, rejects: Any, seen: set[str]) -> Counts:
    counts = Counts()
    batch: list[dict[str, Any]] = []
    for row, error in _rows(path, feed):
        counts.rows += 1
        try:
            if error is not None:
                raise error
            contact = as_contact(feed.lead(row))
        except ValidationError as wrong:
            refusal = _told(wrong)
        except BodyError as wrong:
            refusal = wrong
        else:
            counts.duplicates += contact.email in seen
            counts.clean += contact.email not in seen
            seen.add(contact.email)
            batch.append(contact.model_dump())
            if len(batch) == BATCH:
                _store(connection, batch)
                batch = []
            continue
        reject = as_reject(refusal, row, file=path.name, row=counts.rows)
        counts.rejected[kind_of(reject.column, reject.reason)] += 1
        rejects.writerow(reject.model_dump().values())
    _store(connection, batch)
    return counts


def _rows(path: Path, feed: Feed) -> Iterator[tuple[dict[str, str], BodyError | None]]:
    """The rows of a file as dicts, each with the reason why it is none, if there is one."""
    with path.open(encoding=feed.encoding, errors="surrogateescape", newline="") as stream:
        reader = csv.reader(stream, delimiter=feed.delimiter)
        names = next(reader)
        for row in filter(None, reader):
            record = dict(zip(names, row, strict=False))
            broken = next((name for name, text in record.items() if not text.isascii() and _undecoded(text)), None)
            if broken is not None:
                shown = {name: text.encode("utf-8", "replace").decode() for name, text in record.items()}
                yield shown, BodyError(f"is not {feed.encoding}", column=broken)
            elif len(row) != len(names):
                yield record, BodyError(f"expected {len(names)} columns, found {len(row)}")
            else:
                yield record, None


def _undecoded(text: str) -> bool:
    return any("\udc80" <= sign <= "\udcff" for sign in text)


def _told(error: ValidationError) -> BodyError:
    """All that is wrong with a row, as the sender shall read it."""
    wrong = [(str(problem["loc"][0]), f"{problem['msg']}, found {problem['input']!r}") for problem in error.errors()]
    if len(wrong) == 1:
        return BodyError(wrong[0][1], column=wrong[0][0])
    reason = "; ".join(f"{column}: {text}" for column, text in wrong)
    return BodyError(reason, column=", ".join(column for column, _ in wrong))


def _store(connection: Connection, batch: list[dict[str, Any]]) -> None:
    if not batch:
        return
    upsert = insert(CONTACTS)
    values = {name: upsert.excluded[name] for name in Contact.model_fields if name != "email"}
    connection.execute(upsert.on_conflict_do_update(index_elements=["email"], set_=values), batch)
    connection.commit()


_KINDS = {
    "email": ("email", "E-Mail", "Mail"),
    "name": ("first_name", "last_name", "Vorname", "Nachname", "Contact Name"),
    "phone": ("phone", "Telefon", "Mobile"),
    "company": ("company", "Firma", "Organisation"),
    "country": ("country", "Land", "ISO Country"),
    "budget": ("budget", "Budget (EUR)", "Deal Size"),
    "date": ("created_at", "Datum", "Received"),
    "consent": ("consent",),
}
_KIND_OF = {column: kind for kind, columns in _KINDS.items() for column in columns}


def kind_of(column: str, reason: str) -> str:
    """The kind of a refusal, as `expected.json` counts them, from a line of the rejects file.

    >>> kind_of("E-Mail", "is missing"), kind_of("", "expected 9 columns, found 8")
    ('email', 'ragged')
    """
    if not column:
        return "ragged"
    if any(reason.endswith(f"is not {encoding}") for encoding in ("utf-8", "utf-8-sig", "cp1252")):
        return "encoding"
    return _KIND_OF.get(column, "several")


def main() -> None:
    """Read the command line and say what became of the files."""
    parser = argparse.ArgumentParser(description="Load lead files into a SQLite database, by hand.")
    parser.add_argument("leads", type=Path, help="folder with web, fair and partner")
    parser.add_argument("database", type=Path, help="SQLite file with the table `contacts`; made if missing")
    asked = parser.parse_args()
    engine = create_engine(f"sqlite:///{asked.database}")
    counts = load(asked.leads, engine, asked.database.with_suffix(".rejects.csv"))
    engine.dispose()
    print(json.dumps({file: vars(count) for file, count in counts.items()}, indent=2))


if __name__ == "__main__":
    main()
