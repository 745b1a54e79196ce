"""Request and reply over one channel: answers come back to the pseudo-queue that RabbitMQ has for it.

Direct reply-to, https://www.rabbitmq.com/docs/direct-reply-to: the consumer has to be there before the request, on the
channel that publishes it, and takes answers without acknowledging them.
"""

from typing import Any
from uuid import UUID

import anyio
from aio_pika.abc import AbstractChannel
from aiormq.abc import DeliveredMessage

from routekit import Message, Runtime, Send, Unanswered, Unavailable

from .line import wire
from .properties import headers_of

ADDRESS = "amq.rabbitmq.reply-to"


class _Question:
    """One that waits for its answer."""

    def __init__(self) -> None:
        self.answer: Message[bytes] | None = None
        self.asked = False
        self.lost = False
        self.settled = anyio.Event()


class Answers:
    """The questions of one channel that wait."""

    def __init__(self, runtime: Runtime, what: str, timeout: float) -> None:
        self._runtime = runtime
        self._what = what
        self._timeout = timeout
        self._waiting: dict[str, _Question] = {}

    async def listen(self, channel: AbstractChannel) -> None:
        """Take answers on a channel that was just opened; with it, those that have not come are lost."""
        channel.close_callbacks.add(self._lose)
        await (await wire(channel)).basic_consume(ADDRESS, self._take, no_ack=True)

    def ask(self) -> "tuple[str, _Question]":
        """A correlation id, and what waits under it until `forget`."""
        known_as = UUID(int=self._runtime.random.getrandbits(128)).hex
        question = self._waiting[known_as] = _Question()
        return known_as, question

    async def answer(self, question: _Question) -> Message[Any]:
        """The answer; raises Unanswered if it does not come in time, Unavailable if it cannot come any more."""
        question.asked = True
        with anyio.move_on_after(self._timeout):
            await question.settled.wait()
        if question.answer is not None:
            return question.answer
        if question.lost:
            raise Unavailable(f"{self._what}: the connection was lost before the answer came")
        raise Unanswered(f"{self._what}: no answer came within {self._timeout:g} s")

    def forget(self, known_as: str) -> None:
        """Nobody waits under that id any more; an answer that still comes is dropped."""
        self._waiting.pop(known_as, None)

    async def _take(self, delivered: DeliveredMessage) -> None:
        properties = delivered.header.properties
        question = self._waiting.get(properties.correlation_id or "")
        if question is not None:
            question.answer = Message(delivered.body, headers_of(delivered), properties.message_id or "")
            question.settled.set()

    def _lose(self, *_: object) -> None:
        for question in self._waiting.values():
            if question.asked:  # else it goes out on the next channel, and is answered there
                question.lost = True
                question.settled.set()


async def asking(send: Send, answers: Answers, message: Message[Any], **computed: Any) -> Message[Any]:
    """Send a request, and wait for its answer."""
    known_as, question = answers.ask()
    try:
        await send(message, **{**computed, "correlation_id": known_as, "reply_to": ADDRESS})
        return await answers.answer(question)
    finally:
        answers.forget(known_as)
