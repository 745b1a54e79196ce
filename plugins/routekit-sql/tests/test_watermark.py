"""The law of the cursor: no row is skipped, whatever the order in which rows finish."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from routekit_sql.watermark import Watermark, in_order

POSITIONS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), unique=True, max_size=30)


@given(issued=POSITIONS, data=st.data())
def test_the_position_never_passes_an_unfinished_row(issued: Sequence[tuple[int, int]], data: st.DataObject) -> None:
    """After any finishes in any order, every unfinished row lies behind the position that is kept."""
    rows = sorted(issued)
    mark = Watermark()
    for row in rows:
        mark.issue(row)
    finished = data.draw(st.permutations(rows)) if rows else []
    for count, row in enumerate(finished, 1):
        before = mark.position
        assert mark.finish(row) == (mark.position != before)
        left = set(rows) - set(finished[:count])
        assert all(mark.position is None or row > mark.position for row in left)
        done_in_front = [row for row in rows if not left or row < min(left)]
        assert mark.position == (done_in_front[-1] if done_in_front else None)


@given(issued=POSITIONS, data=st.data())
def test_late_rows_hold_the_position_at_what_was_known_when_they_came(
    issued: Sequence[tuple[int, int]], data: st.DataObject
) -> None:
    """Rows may be delivered in any order: a restart at the position minus the overlap finds each unfinished one.

    And the position never goes back.
    """
    mark = Watermark(remember=True)
    front: dict[tuple[int, int], tuple[int, int]] = {}
    for row in issued:
        mark.issue(row)
        assert mark.front is not None
        front[row] = mark.front
    finished = data.draw(st.lists(st.sampled_from(issued), unique=True)) if issued else []
    for row in finished:
        before = mark.position
        mark.finish(row)
        assert before is None or (mark.position is not None and mark.position >= before)
    for row in set(issued) - set(finished):
        # whoever read it looked back from `front`, so whoever starts at a position not above it looks as far
        assert mark.position is None or mark.position <= front[row]
        assert row in mark


def test_finished_rows_are_remembered_until_they_are_forgotten() -> None:
    """What was seen is known below the position too, for as long as it may be read again."""
    mark = Watermark(remember=True)
    mark.issue((1,))
    mark.finish((1,))
    assert (1,) in mark
    mark.forget(lambda position: position < (2,))
    assert (1,) not in mark


def test_nothing_is_remembered_without_need() -> None:
    """A cursor without an overlap keeps nothing of what is finished."""
    mark = Watermark()
    for row in range(1000):
        mark.issue((row,))
        mark.finish((row,))
    assert len(mark) == 0
    assert (5,) not in mark


def test_values_of_different_types_have_an_order() -> None:
    """Numbers come before texts and texts before bytes, as in SQLite."""
    values: list[tuple[object, ...]] = [(b"a",), ("a",), (2.5,), ("B",), (1,)]
    assert sorted(values, key=in_order) == [(1,), (2.5,), ("B",), ("a",), (b"a",)]
