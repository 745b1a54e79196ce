"""The contract of observers: which messages, and several traces as one."""

from random import Random
from typing import Any

import pytest

from routekit import Message, Meta, Sampling, Spot, traces_of
from routekit.observing import Several
from routekit.place import NOWHERE

pytestmark = pytest.mark.anyio


class Around:
    """A trace that says when it is entered and left."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name = name
        self.said = said

    async def step(self, spot: Any, handler: Any, message: Message[Any]) -> Any:
        self.said.append(f"{self.name} in")
        reply = await handler(message)
        self.said.append(f"{self.name} out")
        return reply

    async def send(self, spot: Any, target: Any, send: Any, message: Message[Any], options: Any) -> Any:
        return await send(message.with_header(self.name, value=True), **options)

    def end(self, outcome: Any, error: Exception | None) -> None:
        self.said.append(f"{self.name} {outcome}")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 1.0])
def test_a_share_of_all_messages_is_taken(share: float) -> None:
    """Over many messages, as many as were asked for."""
    sampling = Sampling(share, Random(7))
    taken, seen = 0, 0
    while taken < 2000:
        seen += sampling.skips() + 1
        taken += 1
    assert taken / seen == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_that_cannot_be_taken_is_refused(share: float) -> None:
    """It is above 0 and at most 1."""
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        Sampling(share, Random(7))


async def test_several_traces_are_one_inside_the_other() -> None:
    """The first is around the second at steps and sends, and the last to hear of the end."""
    said: list[str] = []
    first, second = Around("first", said), Around("second", said)
    both = Several([first, second])
    message: Message[Any] = Message(1, meta=Meta(trace=both))

    async def handler(message: Message[Any]) -> Message[Any]:
        said.append("handled")
        return message

    spot: Any = Spot("r", "step", NOWHERE, None, (0, 0))  # type: ignore[arg-type]  # any step
    assert await both.step(spot, handler, message) is message
    sent = await both.send(spot, None, handler, message, {})
    both.end("done", None)
    assert said[:5] == ["first in", "second in", "handled", "second out", "first out"]
    assert said[6:] == ["second done", "first done"]
    assert set(sent.headers) == {"first", "second"}
    assert traces_of(message) == (first, second)


def test_a_message_has_no_trace_or_one() -> None:
    """As a sequence in each case."""
    trace = Around("a", [])
    assert traces_of(Message(1)) == ()
    assert traces_of(Message(1, meta=Meta(trace=trace))) == (trace,)
