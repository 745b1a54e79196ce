"""The sink `rabbitmq:queue`: messages are published, and sent when the broker has confirmed them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, ClassVar

from aio_pika.abc import AbstractChannel
from pydantic import Field, InstanceOf, model_validator

from routekit import PER_MESSAGE, Capabilities, Codec, Logged, Producer, Runtime, Seconds, Send

from .asking import Answers, asking
from .broker import broker_of
from .content import Contents
from .describing import SINK
from .faults import Returned
from .probing import looked_at
from .properties import Properties
from .publishing import Publisher
from .sending import GIVEN, Sending
from .topology import Topology, declare_exchange, declare_queue


class RabbitMQSink(Topology, Producer):
    """Publishes bodies to a queue, `rabbitmq:orders`, or to an exchange, `rabbitmq:?exchange=events&key=order.new`.

    Sending returns when the broker has confirmed: the message is in every queue that it was routed to, on disk if it is
    persistent. A message that no queue takes is an error. Raises `Unavailable` while the broker is away, refuses or
    returns the message: whether it arrived is then not always known, so a retry may make a second one. With
    `reply=true` the answer is what comes back by direct reply-to.
    """

    scheme = "rabbitmq"
    capabilities = Capabilities(ordered=True)
    advice: ClassVar[Mapping[str, str]] = {
        "idempotent": ".idempotent(...) in the route that reads it",
        "volatile": "persistent=true",
    }
    raises = (Returned,)
    about = SINK

    key: Annotated[str, PER_MESSAGE] = Field(
        default="", max_length=255, description="the routing key, where there is an exchange"
    )
    declare: bool = Field(
        default=False, description="make the queue or exchange if it is missing; else it has to exist"
    )
    mandatory: bool = Field(default=True, description="a message that no queue takes is an error; false drops it")
    persistent: bool = Field(default=True, description="messages outlive the broker; false loses them when it restarts")
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(
        default=None, description="how bodies are written; unset: bytes and text as they are, others as JSON"
    )
    headers: str = Field(default="*", description="globs of the headers that go along, comma separated; empty: none")
    priority: Annotated[int | None, PER_MESSAGE] = Field(default=None, ge=0, le=255, description="the priority")
    expiration: Annotated[Seconds | None, PER_MESSAGE] = Field(
        default=None, ge=0, description="seconds after which the message runs out if nobody has taken it"
    )
    content_type: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="the content type; unset: that of the codec, or the one that the message came with"
    )
    message_type: Annotated[str | None, PER_MESSAGE] = Field(default=None, description="the property `type`")
    correlation_id: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="the correlation id; unset: the header `correlation-id`"
    )
    reply_to: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="where answers go; unset: the header `reply-to`"
    )
    confirm_within: Seconds = Field(
        default=60.0, ge=0, description="seconds that a confirmation may take before the channel is given up; 0: any"
    )
    reply: bool = Field(default=False, description="wait for the answer of whoever reads the message, and give it")
    timeout: Seconds = Field(default=30.0, gt=0, description="seconds that an answer may take")

    def promises(self) -> Capabilities:
        """Without `persistent` a message is in the memory of the broker."""
        return self.capabilities.model_copy(update={"volatile": not self.persistent})

    @model_validator(mode="after")
    def _fits(self) -> "RabbitMQSink":
        problem = self.topology_problem()
        if problem is None and bool(self.queue) == bool(self.exchange):
            problem = "where to? write rabbitmq:QUEUE, or rabbitmq:?exchange=NAME&key=ROUTING.KEY"
        if problem is None and self.queue and self.key:
            problem = "key goes with exchange; a queue is reached by its name"
        if problem is None and not self.declare and self.declared_options():
            problem = f"{', '.join(sorted(self.declared_options()))} needs declare=true"
        if problem is None and self.reply and (self.reply_to or self.correlation_id):
            problem = "reply=true sets reply_to and correlation_id itself"
        if problem is None and not self.reply and "timeout" in self.model_fields_set:
            problem = "timeout goes with reply=true"
        if problem is not None:
            raise ValueError(problem)
        return self

    async def probe(self, runtime: Runtime) -> str:
        """What the broker is, and whether the queue or exchange is there, with the options given here."""
        broker = await broker_of(runtime, self.connection, self.url)
        return await looked_at(broker.giving, self._what, self, declare=self.declare)

    @property
    def _what(self) -> str:
        return f"rabbitmq:{self.queue}" if self.queue else f"rabbitmq: exchange '{self.exchange}'"

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """A send function; raises Unavailable if broker or target are not there, DefinitionError if it is refused."""
        broker = await broker_of(runtime, self.connection, self.url)
        what = self._what
        answers = Answers(runtime, what, self.timeout) if self.reply else None
        publisher = Publisher(
            broker.giving, what, partial(self._prepare, answers), self.confirm_within, tied=self.reply
        )
        try:
            await publisher.ready()
            runtime.spawn(partial(publisher.watch, lambda text: runtime.emit(Logged(runtime.route, "warning", text))))
            send = Sending(
                publisher,
                Contents(runtime, self.codec),
                Properties(self.headers, persistent=self.persistent),
                runtime.now,
                self.exchange,
                self.queue or self.key,
                self.mandatory,
                {name: getattr(self, name) for name in GIVEN if getattr(self, name) is not None},
            )
            with runtime.metered(self, publisher.figures()):
                yield send if answers is None else partial(asking, send, answers)
        finally:
            await publisher.close()

    async def _prepare(self, answers: Answers | None, channel: AbstractChannel) -> None:
        """On every new channel: what is sent to exists, and answers are listened to."""
        if self.exchange and self.declare:
            await declare_exchange(channel, self)
        elif self.exchange:
            await channel.declare_exchange(self.exchange, passive=True)
        elif self.declare:
            await declare_queue(channel, self)
        else:
            await channel.declare_queue(self.queue, passive=True)
        if answers is not None:
            await answers.listen(channel)
