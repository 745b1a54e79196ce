"""Leads become contacts of the CRM: from the web form, the trade fair and a partner, each with columns of its own.

Drop a file into `data/leads/web`, `fair` or `partner`. Each row is read, checked, cleansed and stored once, known by
its e-mail address; sales gets big ones in `data/leads/alerts` too. A row that is refused goes to
`data/leads/rejects/rejects.csv` with file, row, column and reason. A line for each file tells what became of it, and a
report in `data/leads/reports` how good it was. `duplicates` compares what is stored.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from routekit import BodyError, Flow, Letter, Message, Policy, Records, Retry, Tally, Unavailable, dead_letters, from_

from .cleansing import as_contact, as_reject, fair_lead, partner_lead, web_lead
from .models import Contact, FairLead, Lead, PartnerLead, Reject, WebLead
from .quality import Quality, counted, refused, report, report_line

R = TypeVar("R")

FOLDER = "${LEADS:data/leads}"
AWAY = Retry(10, first=0.2, most=30, on=Unavailable)
"""For a database that is locked or away: some minutes, then the file is put aside."""


def contacts(leads: Flow[Lead]) -> Flow[Contact]:
    """Clean leads are stored once each, and sales hears of the big ones."""
    return (
        leads.transform(as_contact)
        .idempotent("lead-contacts", key=lambda contact: contact.email)
        .to("sql:crm/contacts?mode=upsert&key=email", retry=AWAY)
        .to("sql:crm/unchecked?mode=upsert&key=email&columns=email", retry=AWAY)
        .choice()
        .when(lambda contact: contact.vip, alerted)
        .otherwise(lambda rest: rest)
    )


def alerted(big: Flow[Contact]) -> Flow[Contact]:
    """One JSON file for each big contact."""
    return big.to(f"file:{FOLDER}/alerts?exists=replace", name=alert_name, codec="json")


def alert_name(contact: Contact) -> str:
    """A file name for an address; a slash in one is no folder."""
    return f"{quote(contact.email, safe='@+')}.json"


def rejected(letters: Flow[Letter]) -> Flow[Reject]:
    """Refused rows, as rows of the file that goes back to their source."""
    return (
        letters.transform(reject_of)
        .transform(refused)
        .to(f"file:{FOLDER}/rejects?name=rejects.csv&exists=append", codec="csv")
    )


def reject_of(letter: Letter, message: Message[Letter]) -> Reject:
    """What was wrong with a row."""
    error = message.meta.error
    reason = error if isinstance(error, BodyError) else BodyError(letter.reason)
    return as_reject(reason, letter.body, file=letter.headers["file.name"], row=letter.headers.get("row"))


def summary(tally: Tally, message: Message[Tally]) -> str:
    """What became of a file."""
    return (
        f"{message.headers['file.name']}: {tally.total:,} read, {tally.done:,} written, {tally.ended:,} duplicates, "
        f"{tally.failed:,} rejected, {tally.seconds:.1f} s"
    )


def reported(tallies: Flow[Tally]) -> Flow[Quality]:
    """How good the file was: a line, and a JSON file under its name."""
    return (
        tallies.transform(report)
        .log(report_line)
        .to(f"file:{FOLDER}/reports?exists=replace", name=lambda found: f"{found.file}.json", codec="json")
    )


def lead_files(source: str, row: type[R], translate: Callable[[R], Lead], codec: dict[str, Any]) -> Flow[Tally]:
    """The route for the files of one source: a template, since the sources differ in nothing but their rows."""
    return (
        from_(f"file:{FOLDER}/{source}?read=path&after=move", Path, policy=Policy(concurrency=2))
        .for_each(
            Records(row, codec=codec),
            lambda rows: rows.transform(translate).transform(counted).apply(contacts),
            parallel=256,
            on_error=dead_letters(rejected),
        )
        .log(summary)
        .tap(reported)
    )


web = lead_files("web", WebLead, web_lead, {"name": "csv"})
fair = lead_files("fair", FairLead, fair_lead, {"name": "csv", "delimiter": ";", "encoding": "cp1252"})
partner = lead_files("partner", PartnerLead, partner_lead, {"name": "csv", "delimiter": "\t"})
