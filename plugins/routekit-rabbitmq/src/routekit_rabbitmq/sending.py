"""Sending: one message of a route becomes one that is published."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routekit import DefinitionError, Message

from .confirming import Publication
from .content import Contents
from .properties import Properties
from .publishing import Publisher

GIVEN = ("priority", "expiration", "content_type", "message_type", "correlation_id", "reply_to")
"""The properties that a sink's author may give, fixed or for each message."""


@dataclass(frozen=True, eq=False)
class Sending:
    """The send function of a sink; `given` are the properties that are the same for all messages."""

    publisher: Publisher
    contents: Contents
    properties: Properties
    now: Callable[[], float]
    exchange: str
    key: str
    mandatory: bool
    given: Mapping[str, Any]

    def __call__(self, message: Message[Any], key: str | None = None, **computed: Any) -> Awaitable[None]:
        """Publish a message; raises Unavailable, or Rejected for what AMQP cannot carry."""
        if key is not None and not self.exchange:
            raise DefinitionError(
                "key goes with exchange", hint="a queue is reached by its name: rabbitmq:?exchange=..."
            )
        given: dict[str, Any] = {**self.given, **computed}
        if given:
            if given.get("expiration") is not None:
                given["expiration"] = str(round(given["expiration"] * 1000))
            given["type"] = given.pop("message_type", None)
        body, content_type = self.contents.written(message.body)
        properties = self.properties.of(message, self.now(), given, content_type)
        to = self.key if key is None else key
        return self.publisher.publish(Publication(self.exchange, to, body, properties, self.mandatory))
