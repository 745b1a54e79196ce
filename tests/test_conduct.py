"""What steps say of themselves."""

from dataclasses import fields

from routekit import PLAIN, Conduct, Step


def test_a_step_says_nothing_by_itself() -> None:
    """A stranger's step that does not say it is not taken for one that keeps promises."""
    assert Step.conduct is None


def test_plain_conduct_changes_nothing() -> None:
    """All fields have values that say so."""
    assert Conduct() == PLAIN
    assert {field.name for field in fields(Conduct) if getattr(PLAIN, field.name)} == {"order"}
