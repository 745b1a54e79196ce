"""What was recorded of a message is not done again by a replay of its letter."""

from typing import Any

import pytest

from routekit import Message
from routekit.runtime.recalling import Recalling
from routekit.runtime.recording import Recording, key_of, recording_is
from routekit.written import result_text

pytestmark = pytest.mark.anyio


class Act:
    """Something that is done, and answers with how often it was."""

    def __init__(self, fail: int = 0) -> None:
        self.done: list[str] = []
        self._fail = fail

    async def __call__(self, message: Message[Any], **options: Any) -> Message[Any]:
        self.done.append(message.id)
        if len(self.done) == self._fail:
            raise OSError("away")
        return message.with_body(len(self.done))


async def test_a_recorded_effect_gives_its_answer() -> None:
    """And is not done; that of another turn, message or step is."""
    act, recalling = Act(), Recalling()
    first = recalling.once(act, "to x", answered=True)
    second = recalling.once(act, "to x", answered=True)  # another step of that name
    known = Recording("m", 0.0, {key_of("to x", "m", 1): result_text(Message("known"))})
    recording_is(known)
    answers = [await first(Message(0, id="m")), await first(Message(0, id="m")), await first(Message(0, id="m/1"))]
    answers.append(await second(Message(0, id="m")))
    assert [answer and answer.body for answer in answers] == ["known", 1, 2, 3]
    assert act.done == ["m", "m/1", "m"]


async def test_what_succeeded_is_not_done_again_at_the_next_try() -> None:
    """What failed is."""
    act, worse, recalling = Act(), Act(fail=1), Recalling()
    recording_is(Recording("m", 0.0))
    steps = [recalling.once(act, "to a", answered=False), recalling.once(worse, "to b", answered=True)]

    async def run(message: Message[Any]) -> Message[Any] | None:
        for step in steps:
            await step(message)
        return message

    entered = recalling.entered(run)
    with pytest.raises(OSError, match="away"):
        await entered(Message(0, id="m"))
    await entered(Message(0, id="m"))
    assert (len(act.done), len(worse.done)) == (1, 2)


async def test_without_anything_known_all_is_done() -> None:
    """As for a message that is no letter."""
    act = Act()
    recording_is(None)
    once = Recalling().once(act, "to x", answered=True)
    await once(Message(0, id="m"))
    await once(Message(0, id="m"))
    assert len(act.done) == 2


async def test_an_answer_that_cannot_be_kept() -> None:
    """Is given, and asked for again at the next try."""
    asked: list[int] = []

    async def ask(message: Message[Any], **options: Any) -> Message[Any]:
        asked.append(1)
        return message.with_body(object())

    recalling = Recalling()
    recording_is(Recording("m", 0.0))
    entered = recalling.entered(recalling.once(ask, "enrich x", answered=True))
    await entered(Message(0, id="m"))
    await entered(Message(0, id="m"))
    assert len(asked) == 2
