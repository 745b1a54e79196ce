"""Messages made for tests of functions and fragments."""

import pytest

from routekit import BodyError, Flow, Letter, Message, Policy, dead_letters, from_
from routekit.testing import a_letter, a_message, run_route

pytestmark = pytest.mark.anyio


def test_a_message_has_what_the_engine_would_note() -> None:
    """And nothing that was not asked for."""
    error = ValueError("x")
    message = a_message({"a": 1}, {"h": 2}, id="m", attempt=3, error=error, route="r", source="file:in", received=5.0)
    assert message == Message({"a": 1}, {"h": 2}, "m")
    meta = message.meta
    assert (meta.attempt, meta.error, meta.route, meta.source, meta.received) == (3, error, "r", "file:in", 5.0)
    assert a_message(1).meta.attempt == 1


async def test_a_letter_is_what_a_branch_of_dead_letters_gets() -> None:
    """But for its own id, its time and its place."""
    taken: list[Message[Letter]] = []

    def take(letter: Letter, message: Message[Letter]) -> Letter:
        taken.append(message)
        return letter

    def branch(letters: Flow[Letter]) -> Flow[Letter]:
        return letters.transform(take)

    error = BodyError("no number", column="amount")

    def fail(body: bytes) -> bytes:
        raise error

    policy = Policy(dead_letter=dead_letters(branch))
    await run_route(
        from_("file:in?after=delete", policy=policy).transform(fail), [a_message(b"x", {"h": b"y"}, id="m")]
    )
    (real,) = taken
    made = a_letter(b"x", error, {"h": b"y"}, id="m", route="route-1", source="file:in?after=delete")
    for name in ("message_id", "route", "source", "step", "place", "error", "reason", "attempts", "body", "headers"):
        assert getattr(made.body, name) == getattr(real.body, name), name
    assert (made.id, made.meta.error, made.meta.attempt) == (real.id, real.meta.error, real.meta.attempt)
