"""The ledger finds what is missing, what is too much, and what nobody has planned."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.broker import Found
from chaos.ledger import AT_LEAST, ONCE, Account, Ledger, journal, letters, queue, table
from chaos.orders import FATES, Expected, made

EXPECTED = Expected(totals={1: ("anna", 2, 300), 2: ("bert", 1, 50)})


def invoice(number: int, cents: int, *, by: str = "") -> Found:
    """An invoice as it comes out of the queue."""
    customer, lines, _ = EXPECTED.totals.get(number, ("nobody", 1, 0))
    body = {"number": number, "customer": customer, "lines": lines, "cents": cents}
    return Found(by or f"order-totals#{number}", json.dumps(body).encode())


BOTH = [invoice(1, 300), invoice(2, 50)]


def test_what_is_as_it_has_to_be_holds() -> None:
    """Every row and every invoice once, in any order, is no fault."""
    rows = dict(reversed(EXPECTED.totals.items()))
    assert table("totals", ONCE, EXPECTED.totals, rows, again=3).holds
    assert queue("invoices", ONCE, EXPECTED, BOTH[::-1]).holds


@pytest.mark.parametrize(
    ("rows", "lost", "wrong"),
    [
        ({1: ("anna", 2, 300)}, [2], []),
        ({**EXPECTED.totals, 2: ("bert", 1, 51)}, [], [2]),
        ({**EXPECTED.totals, 3: ("carl", 1, 1)}, [], [3]),
    ],
)
def test_a_table_with_a_row_less_or_more_or_another_one_does_not_hold(
    rows: dict[int, tuple[str, int, int]], lost: list[int], wrong: list[int]
) -> None:
    """A missing row is lost; one that differs, or that nobody planned, is wrong."""
    account = table("totals", AT_LEAST, EXPECTED.totals, rows, again=0)
    assert (account.lost, account.wrong, account.holds) == (lost, wrong, False)


def test_an_invoice_that_comes_again_breaks_only_the_stronger_claim() -> None:
    """At least once allows it, effectively once does not."""
    claims = {claim: queue("invoices", claim, EXPECTED, [*BOTH, BOTH[0]]) for claim in (AT_LEAST, ONCE)}
    assert [account.repeated for account in claims.values()] == [[1], [1]]
    assert (claims[AT_LEAST].holds, claims[ONCE].holds) == (True, False)


@pytest.mark.parametrize(
    "found",
    [BOTH[:1], [BOTH[0], invoice(2, 51)], [*BOTH, invoice(1, 300, by="another")], [*BOTH, invoice(9, 1)]],
    ids=["lost", "another sum", "again by another id", "nobody's"],
)
def test_a_queue_that_differs_does_not_hold(found: list[Found]) -> None:
    """Neither with an invoice less, nor with a wrong one, nor with a repetition that nobody could find out."""
    assert not queue("invoices", AT_LEAST, EXPECTED, found).holds


def test_an_order_that_had_two_ids_may_be_invoiced_under_both() -> None:
    """Its body has to be the same all the same."""
    twin = Expected(EXPECTED.lines, EXPECTED.totals, twins={1})
    assert queue("invoices", AT_LEAST, twin, [*BOTH, invoice(1, 300, by="another")]).holds
    assert not queue("invoices", AT_LEAST, twin, [*BOTH, invoice(2, 50, by="another")]).holds
    assert not queue("invoices", AT_LEAST, twin, [*BOTH, invoice(1, 301, by="another")]).holds


def test_a_table_that_takes_any_row_shows_what_was_inserted_again() -> None:
    """A second row of a number is a repetition, which the stronger claim does not bear."""
    rows = [(1, ("anna", 300)), (2, ("bert", 50)), (1, ("anna", 300))]
    account = journal("booked", ONCE, dict(rows), rows)
    assert (account.lost, account.wrong, account.repeated, account.holds) == ([], [], [1], False)
    assert journal("booked", ONCE, dict(rows), rows[:2]).holds
    assert journal("booked", ONCE, dict(rows), rows[:1]).lost == [2]


LETTER = {"message_id": "m1", "step": "source", "error": "BodyError", "reason": "invalid JSON: EOF"}
CHANGES: dict[str, Callable[[dict[str, str]], list[dict[str, str]]]] = {
    "none": lambda letter: [],
    "another error": lambda letter: [{**letter, "error": "Unavailable"}],
    "another reason": lambda letter: [{**letter, "reason": "the moon"}],
    "unplanned": lambda letter: [letter, {**letter, "message_id": "m2"}],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_dead_letter_has_to_be_planned_and_to_say_why(change: str) -> None:
    """One that is missing, or has another reason, or belongs to a message that was good, does not hold."""
    planned = {"m1": FATES["torn"]}
    assert letters(planned, [LETTER, LETTER]).holds, "a letter that was kept again is explained by the same words"
    assert not letters(planned, CHANGES[change](LETTER)).holds


def test_faults_are_told_with_examples() -> None:
    """A ledger that does not hold says where, how many and which."""
    good = Account("lines", ONCE, 3, 3)
    book = Ledger([good, replace(good, lost=[7, 8])])
    assert not book.holds
    assert book.faults() == ["lines: 2 lost: 7, 8"]
    assert not Ledger([good], ["2 messages were left in the queue"]).holds


def test_what_goes_in_is_the_same_for_a_seed_and_has_every_kind() -> None:
    """Messages and outcome come of the seed; every message is filtered, repeated, a dead letter or an order."""
    sent, expected = made(5000, 3)
    assert (sent, expected) == made(5000, 3)
    assert sent != made(5000, 4)[0]
    kinds = {kind: [one for one in sent if one.kind == kind] for kind in {one.kind for one in sent}}
    assert kinds.keys() == {"plain", "trial", "repeated", "redelivered", *FATES}
    assert len(expected.totals) == len(kinds["plain"])
    assert set(expected.letters) == {one.id for kind in FATES for one in kinds[kind]}
    ids = [one.id for one in sent]
    assert len(ids) - len(set(ids)) == len(kinds["redelivered"])
