"""Topology: which queue there has to be, with what it is bound to, and making it."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from aio_pika.abc import AbstractChannel, AbstractQueue
from pydantic import BaseModel, Field, SecretStr, field_validator

from routekit import Bytes, Seconds

Kind = Literal["quorum", "classic", "stream"]
Exchange = Literal["direct", "topic", "fanout", "headers"]


class Topology(BaseModel):
    """The options that sources and sinks share: a connection, a queue, and what it is like."""

    queue: str = Field(default="", max_length=255, description="the queue")
    connection: str = Field(default="default", description="the connection: the table [rabbitmq.NAME] of the settings")
    url: SecretStr | None = Field(default=None, description="instead of a connection: amqp://user:password@host/vhost")
    queue_type: Kind = Field(
        default="quorum", description="`quorum` (replicated, on disk), `classic` or `stream` (kept after it was read)"
    )
    exchange: str = Field(default="", max_length=127, description="the exchange; unset: the default one, by queue name")
    exchange_type: Exchange = Field(default="direct", description="how the exchange distributes, where it is declared")
    dead_letter: str = Field(
        default="", description="queue for messages that were rejected, ran out or did not fit; it is declared too"
    )
    dead_letter_exchange: str = Field(
        default="", description="instead of a queue: the exchange for such messages, which has to exist"
    )
    dead_letter_key: str = Field(default="", description="their routing key there; unset: the one that they had")
    ttl: Seconds | None = Field(default=None, ge=0, description="seconds after which a waiting message runs out")
    expires: Seconds | None = Field(
        default=None, gt=0, description="seconds without use after which the queue is deleted"
    )
    max_length: int | None = Field(default=None, ge=1, description="messages that the queue holds at most")
    max_bytes: Bytes | None = Field(default=None, ge=1, description="bytes that the queue holds at most")
    max_age: Seconds | None = Field(default=None, gt=0, description="stream: seconds that messages are kept")
    overflow: Literal["reject", "drop-head"] = Field(
        default="reject",
        description="when the queue is full: `reject` what is published, or drop its oldest messages (`drop-head`)",
    )
    priorities: int | None = Field(default=None, ge=1, le=255, description="classic: the highest priority of messages")
    single_active: bool = Field(
        default=False, description="of all consumers only one gets messages, the others stand by"
    )
    arguments: dict[str, str | int | bool] = Field(
        default_factory=dict[str, "str | int | bool"],
        description="further arguments of the queue, as the broker calls them: `arguments.x-queue-mode=lazy`",
    )

    @field_validator("arguments", mode="before")
    @classmethod
    def _numbers(cls, arguments: Any) -> Any:
        """What is written in a URI is text; the broker wants numbers as numbers."""
        if not isinstance(arguments, Mapping):
            return arguments
        found = cast("Mapping[str, Any]", arguments).items()
        return {name: int(value) if isinstance(value, str) and value.isdecimal() else value for name, value in found}

    def topology_problem(self) -> str | None:
        """What contradicts itself, or None."""
        stream, classic = self.queue_type == "stream", self.queue_type == "classic"
        found = {
            "connection and url exclude each other": self.url is not None and "connection" in self.model_fields_set,
            "dead_letter and dead_letter_exchange exclude each other": self.dead_letter and self.dead_letter_exchange,
            "dead_letter_key goes with dead_letter_exchange": self.dead_letter_key and not self.dead_letter_exchange,
            "priorities need queue_type=classic": self.priorities is not None and not classic,
            "max_age is for queue_type=stream": self.max_age is not None and not stream,
            "a stream has no dead letters": stream and (self.dead_letter or self.dead_letter_exchange),
            "a stream has no ttl: write max_age": stream and self.ttl is not None,
            "a stream has no max_length: write max_bytes": stream and self.max_length is not None,
            "a stream has no single_active here": stream and self.single_active,
            "exchange_type goes with exchange": "exchange_type" in self.model_fields_set and not self.exchange,
        }
        return next((problem for problem, holds in found.items() if holds), None)

    def declared_options(self) -> set[str]:
        """The options given that say what a queue or exchange is like."""
        return self.model_fields_set & set(Topology.model_fields) - {"queue", "connection", "url", "exchange"}

    def queue_arguments(self) -> dict[str, Any]:
        """The arguments with which the queue is declared; what may lose messages is only there if it was asked for."""
        kind, dead = self.queue_type, bool(self.dead_letter or self.dead_letter_exchange)
        limited = self.max_length is not None or self.max_bytes is not None
        certain = dead and kind == "quorum" and self.overflow == "reject"
        found: dict[str, Any] = {
            "x-queue-type": kind,
            "x-dead-letter-exchange": self.dead_letter_exchange if dead else None,
            "x-dead-letter-routing-key": self.dead_letter or self.dead_letter_key or None,
            "x-dead-letter-strategy": "at-least-once" if certain else None,
            "x-message-ttl": _milliseconds(self.ttl),
            "x-expires": _milliseconds(self.expires),
            "x-max-length": self.max_length,
            "x-max-length-bytes": self.max_bytes,
            "x-max-age": None if self.max_age is None else f"{max(1, round(self.max_age))}s",
            "x-overflow": _overflow(self.overflow) if (limited or certain) and kind != "stream" else None,
            "x-max-priority": self.priorities,
            "x-single-active-consumer": True if self.single_active else None,
        }
        return {name: value for name, value in found.items() if value is not None} | self.arguments


async def declare_queue(channel: AbstractChannel, options: Topology) -> AbstractQueue:
    """Make the queue and where its dead letters go, or find it as it is wanted; raises what the broker says."""
    if options.dead_letter:
        await channel.declare_queue(options.dead_letter, durable=True, arguments={"x-queue-type": options.queue_type})
    if options.dead_letter_exchange:  # the broker drops what is for one that is not there
        await channel.declare_exchange(options.dead_letter_exchange, passive=True)
    return await channel.declare_queue(options.queue, durable=True, arguments=options.queue_arguments())


async def declare_exchange(channel: AbstractChannel, options: Topology) -> None:
    """Make the exchange, or find it as it is wanted."""
    await channel.declare_exchange(options.exchange, options.exchange_type, durable=True)


async def bind(
    channel: AbstractChannel, queue: AbstractQueue, exchange: str, keys: str, match: Mapping[str, Any]
) -> None:
    """Bind a queue by each of the keys; bindings that are no longer written stay, since they may be another's."""
    for key in [key.strip() for key in keys.split(",") if key.strip()] or [""]:
        await queue.bind(exchange, key, arguments=dict(match) or None)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _overflow(word: str) -> str:
    return "reject-publish" if word == "reject" else word
