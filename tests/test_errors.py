"""The tree of errors."""

import pytest

import routekit
from routekit import (
    BodyError,
    DefinitionError,
    Expired,
    Invalid,
    PartsFailed,
    Rejected,
    RouteKitError,
    did_you_mean,
    errors,
)


def test_every_error_is_a_routekit_error() -> None:
    """And is drawn in the tree at the head of the module."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 10
    for kind in kinds:
        assert issubclass(kind, RouteKitError)
        assert kind.__name__ in (errors.__doc__ or "")
        assert getattr(routekit, kind.__name__) is kind


def test_the_hint_is_part_of_the_text() -> None:
    """What was found, then what to do."""
    error = DefinitionError("no such thing", hint="write another")
    assert str(error) == "no such thing; write another"
    assert (error.message, error.hint) == ("no such thing", "write another")
    assert str(DefinitionError("no such thing")) == "no such thing"


@pytest.mark.parametrize(
    ("row", "column", "text"),
    [
        (None, None, "bad"),
        (3, None, "row 3: bad"),
        (None, "size", "column 'size': bad"),
        (3, "size", "row 3, column 'size': bad"),
        (0, None, "row 0: bad"),
    ],
)
def test_a_body_error_says_where(row: int | None, column: str | None, text: str) -> None:
    """Row and column, where they are known."""
    error = BodyError("bad", row=row, column=column)
    assert str(error) == text
    assert (error.reason, error.row, error.column) == ("bad", row, column)


def test_what_cannot_get_better_is_rejected() -> None:
    """No retry is worth it."""
    assert all(issubclass(kind, Rejected) for kind in (BodyError, Invalid, Expired))


def test_invalid_lists_all_reasons() -> None:
    """In one line and one by one."""
    error = Invalid(["one", "two"])
    assert (str(error), error.reasons) == ("one; two", ("one", "two"))


def test_failed_parts_are_named_up_to_a_hundred() -> None:
    """The rest is counted."""
    few = PartsFailed([("m/1", ValueError("x"))], failed=1, total=3)
    assert str(few) == "1 of 3 parts failed: m/1: ValueError: x"
    many = PartsFailed([(f"m/{n}", ValueError("x")) for n in range(150)], failed=150, total=200)
    assert len(many.failures) == PartsFailed.KEPT == 100
    assert (many.failed, many.total) == (150, 200)
    assert str(many).endswith("; and 50 more")


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("tmier", ["timer", "file"], "did you mean 'timer'?"),
        ("sqs", ["timer", "file"], "known: file, timer"),
        ("x", [], "none is known"),
    ],
)
def test_did_you_mean(word: str, known: list[str], hint: str) -> None:
    """The nearest, or all there is."""
    assert did_you_mean(word, known) == hint
