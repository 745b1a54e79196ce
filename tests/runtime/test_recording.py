"""Recordings: which effects of a message have happened, and which turn of a step it is."""

from routekit.runtime.recording import Recording, key_of


def test_a_step_has_a_turn_for_each_time_that_it_sends_a_message() -> None:
    """Counted for each message, and from the start again when the message is handled anew."""
    known = Recording("m1", 0.0)
    assert [known.turn("to x", "m1"), known.turn("to x", "m1"), known.turn("to x", "m1/0")] == [1, 2, 1]
    known.begin()
    assert known.turn("to x", "m1") == 1


def test_a_turn_that_failed_is_taken_again() -> None:
    """Else a retry would be another effect than the try."""
    known = Recording("m1", 0.0)
    known.failed("to x", "m1", known.turn("to x", "m1"))
    assert known.turn("to x", "m1") == 1


def test_a_branch_that_runs_again_has_its_turns_again() -> None:
    """Those of the message and its parts, but not those that were before it, and not those of other messages."""
    known = Recording("m1", 0.0)
    known.turn("to a", "m1/1")
    known.turn("to a", "m1/10")
    again = known.mark("m1/1")
    known.turn("to a", "m1/1")
    known.turn("to a", "m1/1/0")
    known.turn("to a", "m1/10")
    again()
    assert [known.turn("to a", part) for part in ("m1/1", "m1/1/0", "m1/10")] == [2, 1, 3]


def test_a_checkpoint_forgets_what_was_before() -> None:
    """The journal does so too."""
    known = Recording("m1", 0.0, {"a": ""}, {"a"})
    known.turn("to a", "m1")
    known.moved("paid", "text")
    assert (known.effects, known.unrecorded, known.place, known.kept) == ({}, set(), "paid", "text")
    assert known.turn("to a", "m1") == 1


def test_the_key_of_an_effect_names_step_message_and_turn() -> None:
    """As JSON, so that no name can be mistaken for another one."""
    assert key_of("to log:x", "m1", 2) == '["to log:x","m1",2]'
