"""Sums: buckets that show where two lists differ, and control totals by group."""

from random import Random

import pytest

from routekit.remotes import Fields, Record
from routekit_sync.bucketing import Buckets, place
from routekit_sync.totalling import Total, Totalling, month


def test_two_lists_have_the_same_buckets_in_any_order() -> None:
    """The order in which a side gives its records says nothing."""
    entries = [(f"id{number}", f"content {number}") for number in range(500)]
    one, other = Buckets(), Buckets()
    for entry in entries:
        one.add(*entry)
    Random(1).shuffle(entries)
    for entry in entries:
        other.add(*entry)
    assert list(one.differing(other)) == []


@pytest.mark.parametrize("change", ["missing", "added", "changed", "twice"])
def test_a_difference_shows_in_its_own_bucket(change: str) -> None:
    """Whatever it is, that bucket and no other one differs."""
    one, other = Buckets(), Buckets()
    for number in range(2000):
        own = f"id{number}"
        one.add(own, "x")
        if number != 77:
            other.add(own, "x")
    if change == "added":
        other.add("id77", "x")
        other.add("new", "x")
    elif change == "changed":
        other.add("id77", "y")
    elif change == "twice":
        other.add("id77", "x")
        other.add("id77", "x")
    wanted = place("new") if change == "added" else place("id77")
    assert list(one.differing(other)) == [wanted]


def test_ids_that_look_alike_are_spread() -> None:
    """Ten thousand numbers in a row are in nearly all buckets."""
    assert len({place(f"{number:08d}") for number in range(10_000)}) > 3000


def totalled(a: list[Fields], b: list[Fields], total: Total) -> dict[tuple[str, ...], tuple[str, str, bool]]:
    """The lines of a total, by group."""
    totalling = Totalling([total])
    for fields in a:
        totalling.add("a", Record("1", fields))
    for fields in b:
        totalling.add("b", Record("1", fields))
    return {line.group: (str(line.a), str(line.b), line.equal) for line in totalling.lines()}


def test_amounts_add_up_by_currency_and_month() -> None:
    """Exactly, as they are written; a group that one side lacks is zero there."""
    total = Total("amount", "amount", "sum", by_a=["currency", month("closed")], by_b=["cur", month("date")])
    a: list[Fields] = [
        {"amount": 0.1, "currency": "EUR", "closed": "2026-11-03"},
        {"amount": "0.2", "currency": "EUR", "closed": "2026-11-30"},
        {"amount": 5, "currency": "USD", "closed": "2026-11-01"},
    ]
    b: list[Fields] = [
        {"sum": "0.3", "cur": "EUR", "date": "2026-11-03T10:00"},
        {"sum": None, "cur": "EUR", "date": "2026-11-09"},
    ]
    assert totalled(a, b, total) == {
        ("EUR", "2026-11"): ("0.3", "0.3", True),
        ("USD", "2026-11"): ("5", "0", False),
    }


def test_a_sum_of_other_records_is_not_equal() -> None:
    """Two records of 5 are not one of 10, and what is no number adds nothing."""
    assert totalled([{"n": 5}, {"n": 5}], [{"n": 10}], Total("n", "n", "n")) == {(): ("10", "10", False)}
    assert totalled([{"n": "x"}, {"n": True}], [{"n": None}, {"n": "NaN"}], Total("n", "n", "n")) == {
        (): ("0", "0", True)
    }
