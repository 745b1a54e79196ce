"""The source `rabbitmq:queue`: its options, and the consuming of a queue or stream."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, Literal
from uuid import UUID

from aio_pika.abc import AbstractChannel
from pydantic import Field, InstanceOf, model_validator

from routekit import Capabilities, Codec, Consumer, Delivery, Runtime, Seconds

from .broker import Broker, broker_of
from .consuming import Subscription
from .counting import Deliveries
from .describing import SOURCE
from .position import Position
from .probing import looked_at
from .replying import Replying
from .taking import Taking
from .topology import Topology, bind, declare_exchange, declare_queue

QUIET = 0.5
"""Seconds without a message after which a source says that it has nothing for now."""


class RabbitMQSource(Topology, Consumer):
    """Takes the messages of a queue, `rabbitmq:orders`, which it declares with what it is bound to; or of a stream.

    A message is acknowledged when the route is done with it. What is not acknowledged when the connection breaks, or
    the process dies, is delivered again. Raises `Unavailable` when the broker goes away, deletes the queue or closes
    the channel: the route starts again, with a connection, channel, queue and consumer made anew.
    """

    scheme = "rabbitmq"
    capabilities = Capabilities(replayable=True, ordered=True)
    about = SOURCE

    declare: bool = Field(default=True, description="make queue, exchange and bindings if they are missing")
    bind: str = Field(
        default="", description="routing keys by which the queue is bound to the exchange, comma separated"
    )
    match: dict[str, str] = Field(
        default_factory=dict[str, str], description="exchange_type=headers: `match.format=pdf&match.x-match=any`"
    )
    temporary: bool = Field(
        default=False, description="a queue that lives as long as the consumer; what comes while it is away is lost"
    )
    prefetch: int = Field(
        default=50, ge=1, le=65535, description="messages that are here and not acknowledged, at most"
    )
    refused: Literal["reject", "requeue"] | None = Field(
        default=None,
        description="what becomes of a message that is given back: `reject` (to the queue's dead letters, or dropped "
        "if it has none) or `requeue`; unset: reject if dead_letter or dead_letter_exchange is given",
    )
    again: Seconds = Field(default=1.0, ge=0, description="seconds before a message that failed is requeued")
    deliveries: int = Field(
        default=10, ge=0, description="how often a message may come before it is given up unhandled; 0: any number"
    )
    batch: int | None = Field(default=None, ge=1, description="messages that come together, as a list of bodies")
    batch_wait: Seconds = Field(default=1.0, ge=0, description="seconds that a batch waits for more after its first")
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(
        default=None, description="how bodies are read; unset: they are bytes"
    )
    consumer: str = Field(default="", max_length=255, description="the consumer tag; unset: the name of the route")
    exclusive: bool = Field(default=False, description="classic: the only consumer of the queue; others are refused")
    consumer_priority: int | None = Field(default=None, description="consumers of higher priority are served first")
    offset: str = Field(
        default="first",
        pattern=r"^(first|last|next|\d+|\d+[YMDhms])$",
        description="stream: where to begin without a position: `first`, `last`, `next`, an offset, or an age as `7D`",
    )
    name: str = Field(default="", description="stream: the position is kept in the store under this name")
    reply: bool = Field(
        default=False, description="answer requests: what the route ends with goes to where the request says, reply_to"
    )

    def promises(self) -> Capabilities:
        """With priorities the order is another one; a temporary queue ends with its consumer, and what was in it."""
        kept = {"ordered": self.priorities is None, "replayable": not self.temporary}
        return self.capabilities.model_copy(update=kept)

    def alone(self) -> bool:
        """Consumers of a queue share its messages; those of a stream, or each with a queue of its own, do not."""
        return self.queue_type == "stream" or self.temporary or self.exclusive

    def takes_back(self) -> bool:
        """A failed message becomes a dead letter here, unless the queue was given dead letters of its own."""
        return self.refused == "reject" or (self.refused is None and self.rejects)

    @property
    def rejects(self) -> bool:
        """Whether a message that is given back leaves the queue."""
        dead = bool(self.dead_letter or self.dead_letter_exchange)
        return dead if self.refused is None else self.refused == "reject"

    @model_validator(mode="after")
    def _fits(self) -> "RabbitMQSource":
        stream = self.queue_type == "stream"
        undeclared = "" if self.declare else ", ".join(self.declared_options() - {"queue_type", "exchange"})
        found = {
            "which queue? write rabbitmq:QUEUE": not self.queue and not self.temporary,
            "bind and match need exchange": (self.bind or self.match) and not self.exchange,
            "match goes with exchange_type=headers": self.match and self.exchange_type != "headers",
            "exchange needs declare=true": self.exchange and not self.declare,
            "temporary needs declare=true": self.temporary and not self.declare,
            f"{undeclared} is for a queue that is declared here: leave declare=false out": undeclared,
            "a temporary queue is classic": self.temporary
            and self.queue_type != "classic"
            and "queue_type" in self.model_fields_set,
            "exclusive needs queue_type=classic: write single_active=true": self.exclusive
            and self.queue_type != "classic",
            "a batch needs a prefetch that is as large": self.batch is not None and self.batch > self.prefetch,
            "batch and reply exclude each other": self.batch is not None and self.reply,
            "a stream needs name=...: the position is kept under it": stream and not self.name,
            "name and offset are for queue_type=stream": not stream and self.model_fields_set & {"name", "offset"},
            "a stream has no batch, refused or reply here": stream and (self.batch or self.refused or self.reply),
        }
        problem = self.topology_problem() or next((problem for problem, holds in found.items() if holds), None)
        if problem is not None:
            raise ValueError(problem)
        return self

    async def probe(self, runtime: Runtime) -> str:
        """What the broker is, and how many messages wait; whether queue and exchange have the options given here."""
        broker = await broker_of(runtime, self.connection, self.url)
        return await looked_at(broker.taking, f"rabbitmq:{self.queue}", self, declare=self.declare)

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """Deliver messages for ever; raises Unavailable when they cannot be had any more."""
        broker = await broker_of(runtime, self.connection, self.url)
        position = (
            Position(runtime.store.marks(f"rabbitmq-stream:{self.name}")) if self.queue_type == "stream" else None
        )
        subscription = await self._subscribe(runtime, broker, position)
        taking = self._taking(runtime, broker, subscription, position)
        runtime.spawn(partial(subscription.watch, QUIET))
        figures = {**subscription.figures(), "reconnects_total": lambda: broker.taking.reconnects}
        try:
            with runtime.metered(self, figures):
                while True:
                    if taking.empty:
                        await subscription.arrival_or_quiet()
                    if taking.empty:
                        with runtime.resting():
                            await subscription.arrival()
                    yield await taking.next()
        finally:
            await subscription.leave()

    async def _subscribe(self, runtime: Runtime, broker: Broker, position: Position | None) -> Subscription:
        arguments: dict[str, Any] = {}
        if self.consumer_priority is not None:
            arguments["x-priority"] = self.consumer_priority
        if position is not None:
            finished = await position.load()
            arguments["x-stream-offset"] = self._begin if finished is None else finished + 1
        return await Subscription.begin(
            broker.taking,
            f"rabbitmq:{self.queue}",
            self._prepare,
            prefetch=self.prefetch,
            tag=self.consumer or f"{runtime.route}-{UUID(int=runtime.random.getrandbits(128)).hex[:8]}",
            exclusive=self.exclusive,
            arguments=arguments,
        )

    def _taking(
        self, runtime: Runtime, broker: Broker, subscription: Subscription, position: Position | None
    ) -> Taking:
        replying = Replying(runtime, broker.giving) if self.reply else None
        if replying is not None:
            subscription.at_end = replying.close
        counted = f"rabbitmq-deliveries:{self.connection}/{self.queue}"
        return Taking(
            subscription=subscription,
            queue=self.queue,
            deliveries=Deliveries(self.deliveries, runtime.store, counted),
            rejects=self.rejects,
            again=self.again,
            codec=None if self.codec is None else runtime.codec(self.codec),
            most=self.batch,
            wait=self.batch_wait,
            position=position,
            replying=replying,
        )

    @property
    def _begin(self) -> str | int:
        return int(self.offset) if self.offset.isdecimal() else self.offset

    async def _prepare(self, channel: AbstractChannel) -> str:
        """Declare what has to be there; the name of the queue."""
        if not self.declare:
            return (await channel.declare_queue(self.queue, passive=True)).name
        if self.exchange:
            await declare_exchange(channel, self)
        if self.temporary:
            queue = await channel.declare_queue(self.queue or None, exclusive=True, auto_delete=True)
        else:
            queue = await declare_queue(channel, self)
        if self.exchange:
            await bind(channel, queue, self.exchange, self.bind, self.match)
        return queue.name
