"""The routes of the leads in a world in memory: a few rows, no database, and what was sent where."""

from pathlib import Path

import pytest

from routekit import BodyError, Message, Unavailable
from routekit.testing import Sink, a_letter, a_message, having, replace_endpoints, run_route
from routes.leads import reject_of

pytestmark = pytest.mark.anyio

ROUTES = Path(__file__).parents[2] / "routes"
HEADER = "first_name,last_name,email,phone,company,country,budget,created_at,consent"
ANN = "Ann,Lee,ann@mail.example.com,,ACME,DE,100,2026-11-20T09:15:00+01:00,yes"
BIG = "Bob,May,bob@mail.example.com,,Big Corp,DE,900000,2026-11-20T09:15:00+01:00,yes"
WRONG = "Eve,Poe,nowhere,,ACME,DE,100,2026-11-20T09:15:00+01:00,yes"


@pytest.fixture
def file(tmp_path: Path) -> Message[Path]:
    """A file of the web form, as the source of the route gives it."""
    found = tmp_path / "some.csv"
    found.write_text("\n".join([HEADER, ANN, BIG, ANN, WRONG]) + "\n")
    return a_message(found, {"file.name": found.name})


@pytest.mark.real_time  # rows are read in a thread
async def test_rows_become_contacts_alerts_and_rejects(file: Message[Path]) -> None:
    """Each once; sales hears of the big one, and the wrong row goes back with its reason."""
    run = await run_route("leads.web", [file], folder=ROUTES)
    run["sql:crm/contacts"].expect(
        [having(email="ann@mail.example.com", vip=False), having(email="bob@mail.example.com", vip=True)],
        in_order=False,
    )
    run["file:*/alerts"].expect([having(email="bob@mail.example.com")], options={"name": "bob@mail.example.com.json"})
    run["file:*/rejects"].expect([having(file="some.csv", row=4, column="email")])
    run["file:*/reports"].expect(
        [having(rows=4, written=2, duplicates=1, rejected=1, causes=[having(column="email", rows=1, example=4)])],
        options={"name": "some.csv.json"},
    )
    (tally,) = run.replies
    assert (tally.total, tally.done, tally.ended, tally.failed) == (4, 2, 1, 1)
    assert run.letters == []


@pytest.mark.real_time
async def test_a_database_that_is_away_is_tried_again(file: Message[Path]) -> None:
    """No row is rejected for it; those that are big are alerted only then."""
    with replace_endpoints({"sql:crm/*": Sink(fail={1: Unavailable("locked"), 2: Unavailable("locked")})}) as world:
        run = await run_route("leads.web", [file], folder=ROUTES)
    assert [one.error is None for one in world["sql:crm/contacts"].tries].count(False) == 2
    run["sql:crm/contacts"].expect(count=2)
    assert run.replies[0].failed == 1


def test_a_reject_says_what_was_wrong() -> None:
    """File, row and column are those of the reader's file."""
    letter = a_letter({"email": "nowhere"}, BodyError("no address", column="email"), {"file.name": "a.csv", "row": 7})
    reject = reject_of(letter.body, letter)
    assert (reject.file, reject.row, reject.column, reject.reason) == ("a.csv", 7, "email", "no address")
