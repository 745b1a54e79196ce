"""Which number of a sequence goes on next."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from routekit.sequencing import Numbering, Turn


def test_a_number_waits_for_the_one_before_it() -> None:
    """It is its turn when its predecessor has had one."""
    numbering = Numbering(1)
    numbering.add(2, message=20, since=0)
    assert (numbering.due(gap=5), numbering.turn(now=4.9, gap=5)) == (5, None)
    numbering.add(1, message=10, since=1)
    assert numbering.due(gap=5) == 0
    assert numbering.turn(now=1, gap=5) == Turn(1, [10])
    assert numbering.turn(now=1, gap=5) == Turn(2, [20])
    assert (numbering.turn(now=1, gap=5), numbering.next, numbering.idle) == (None, 3, True)


def test_a_gap_ends_after_its_time() -> None:
    """Counted from the first message behind it, for each gap; the turn says what is missing."""
    numbering = Numbering(1)
    numbering.add(9, message=90, since=3)
    numbering.add(4, message=40, since=4)
    assert numbering.turn(now=8, gap=5) == Turn(4, [40], missing=1)
    assert numbering.turn(now=8, gap=5) == Turn(9, [90], missing=5)
    numbering.add(12, message=120, since=9)
    assert numbering.due(gap=5) == 14


def test_without_a_start_the_lowest_begins() -> None:
    """The first messages wait as for a gap, but nothing is missing."""
    numbering = Numbering(None)
    numbering.add(8, message=80, since=0)
    numbering.add(7, message=70, since=1)
    assert not numbering.late(-5)
    assert numbering.turn(now=5, gap=5) == Turn(7, [70])
    assert (numbering.late(7), numbering.late(8)) == (True, False)


def test_messages_of_one_number_go_on_together() -> None:
    """In the order in which they came."""
    numbering = Numbering(1)
    numbering.add(1, message=11, since=0)
    numbering.add(1, message=12, since=0)
    assert numbering.turn(now=0, gap=0) == Turn(1, [11, 12])


def test_no_turn_overtakes_a_message_that_is_being_kept() -> None:
    """Neither one of the same number, nor one that comes into the gap at its last moment."""
    numbering = Numbering(1)
    numbering.add(3, message=30, since=0)
    numbering.announce(2)
    numbering.announce(2)
    numbering.announce(4)
    assert (numbering.due(gap=5), numbering.turn(now=9, gap=5)) == (None, None)
    numbering.add(2, message=20, since=9)
    numbering.dismiss(2)
    assert numbering.due(gap=5) is None
    numbering.dismiss(2)
    assert numbering.turn(now=9, gap=5) == Turn(2, [20], missing=1)
    assert numbering.turn(now=9, gap=5) == Turn(3, [30])
    assert not numbering.idle


def test_gaps_can_be_given_up() -> None:
    """The first one, or all before what waits; those after that are waited for again."""
    numbering = Numbering(1)
    numbering.give_up()
    for number in (3, 5, 7):
        numbering.add(number, message=number, since=0)
    numbering.give_up()
    assert numbering.turn(now=0, gap=5) == Turn(3, [3], missing=1)
    assert numbering.turn(now=0, gap=5) is None
    numbering.give_up(all_gaps=True)
    numbering.add(9, message=9, since=0)
    assert [turn and turn.number for turn in (numbering.turn(now=0, gap=5) for _ in range(3))] == [5, 7, None]


@pytest.mark.parametrize("start", [None, 0])
@given(
    numbers=some.lists(some.integers(0, 12), max_size=20), turns=some.lists(some.booleans(), min_size=20, max_size=20)
)
def test_what_is_not_late_goes_on_in_order(start: int | None, numbers: list[int], turns: list[bool]) -> None:
    """Whatever comes when: numbers only grow, and each message has its turn once."""
    numbering, had, waits = Numbering(start), list[int](), list[int]()
    for number, turn in zip(numbers, turns, strict=False):
        if not numbering.late(number):
            numbering.add(number, message=len(waits), since=0)
            waits.append(number)
        if turn and (taken := numbering.turn(now=9, gap=5)):
            had += [waits[message] for message in taken.messages]
            assert {waits[message] for message in taken.messages} == {taken.number}
    while taken := numbering.turn(now=9, gap=5):
        had += [waits[message] for message in taken.messages]
    assert had == sorted(waits)
    assert numbering.idle
