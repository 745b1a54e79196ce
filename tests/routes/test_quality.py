"""The report of a file: shares of what is filled, and causes of what was refused, without a value in them."""

from routekit import Message, Tally
from routekit.testing import a_message
from routes.cleansing import web_lead
from routes.models import Reject, WebLead
from routes.quality import MOST, Files, Quality, counted, refused, report, report_line

ROW = {
    "first_name": "Ann",
    "last_name": "Lee",
    "email": "ann@mail.example.com",
    "phone": "",
    "company": "",
    "country": "DE",
    "budget": "",
    "created_at": "2026-11-20T09:15:00Z",
    "consent": "yes",
}


def part(body: object, place: int, file: str = "f") -> Message[object]:
    """A row of a file, as `for_each` gives it."""
    return a_message(body, id=f"{file}/{place}")


def row(place: int, file: str, **cells: str) -> None:
    """A row that is good."""
    lead = web_lead(WebLead.model_validate({**ROW, **cells}))
    assert counted(lead, part(lead, place, file)) is lead  # pyright: ignore[reportArgumentType]  # of any body


def wrong(place: int, file: str, column: str, reason: str) -> None:
    """A row that is refused."""
    reject = Reject(file="a.csv", row=place, column=column, reason=reason, record="{}")
    assert refused(reject, part(reject, place, file)) is reject  # pyright: ignore[reportArgumentType]  # of any body


def told(file: str, tally: Tally) -> Quality:
    return report(tally, a_message(tally, {"file.name": "a.csv"}, id=file))


def test_a_report_tells_shares_and_causes() -> None:
    """Of the good rows what is filled; of the others each cause, with the first row that has it."""
    row(1, "one")
    row(2, "one", phone="+49 30 12345678", company="ACME")
    wrong(3, "one", "email", "'nowhere' is no e-mail address")
    wrong(4, "one", "email, phone", "email: 'else' is no e-mail address; phone: '12' is too short")
    found = told("one", Tally(4, 2, 0, 2, 0.1))
    assert (found.rows, found.written, found.rejected) == (4, 2, 2)
    assert found.filled == {"first_name": 1.0, "phone": 0.5, "company": 0.5, "country": 1.0, "budget": 0.0}
    assert [(one.column, one.reason, one.rows, one.example) for one in found.causes] == [
        ("email", "... is no e-mail address", 2, 3),
        ("phone", "... is too short", 1, 4),
    ]
    assert report_line(found) == (
        "a.csv: filled: first_name 100%, phone 50%, company 50%, country 100%, budget 0%; "
        "refused: 2 x email ... is no e-mail address, 1 x phone ... is too short"
    )


def test_files_do_not_mix() -> None:
    """Rows of two files that are read at once count for their own file, and a file without good rows has a report."""
    row(1, "left", phone="+49 30 12345678")
    row(1, "right")
    assert told("left", Tally(1, 1)).filled["phone"] == 1.0
    assert told("right", Tally(1, 1)).filled["phone"] == 0.0
    assert told("left", Tally()).filled["phone"] == 0.0


def test_a_file_that_is_tried_again_is_counted_anew() -> None:
    """What was counted at the try before is not in the report."""
    files = Files()
    files.of(a_message(1, id="f/1", attempt=1)).rows += 1
    assert files.of(a_message(1, id="f/1", attempt=2)).rows == 0


def test_files_that_never_end_are_forgotten() -> None:
    """Only so many are kept: the oldest goes first."""
    files = Files()
    for number in range(MOST + 1):
        files.of(a_message(1, id=f"{number}/1")).rows = 7
    assert files.end("0").rows == 0
    assert files.end("1").rows == 7
