"""What spans are called and say, by the semantic conventions of OpenTelemetry for messaging.

Source of the rule: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/.
"""

from opentelemetry.trace import SpanKind

from routekit import Target

SYSTEMS = {"rabbitmq": "rabbitmq", "kafka": "kafka"}
"""Schemes of brokers, and what the conventions call them."""

_SERVED = {"http", "https", "ws", "wss", "sse", "sses"}


class Named:
    """How spans at one endpoint are named: `process orders` for a message of a queue, `send sales` for one to it."""

    def __init__(self, target: Target) -> None:
        scheme, _, rest = str(target).partition(":")
        path = rest.partition("?")[0]
        self.address = f"{scheme}:{path}"
        self._system = SYSTEMS.get(scheme, "")
        self._place = path if self._system else self.address
        self._received = (
            SpanKind.CONSUMER if self._system else SpanKind.SERVER if scheme in _SERVED else SpanKind.INTERNAL
        )

    @property
    def received(self) -> SpanKind:
        """The kind of the span of a message that comes from here."""
        return self._received

    @property
    def sent(self) -> SpanKind:
        """The kind of the span of one that is sent here."""
        return SpanKind.PRODUCER if self._system else SpanKind.CLIENT

    def span(self, doing: str) -> str:
        """The name of a span that does something here."""
        return f"{doing} {self._place}"

    def attributes(self, doing: str, message: str) -> dict[str, str]:
        """What the span says of the endpoint and of the message of that id."""
        found = {"routekit.endpoint": self.address, "routekit.message.id": message}
        if self._system:
            found |= {
                "messaging.system": self._system,
                "messaging.operation.name": doing,
                "messaging.operation.type": doing,
                "messaging.destination.name": self._place,
                "messaging.message.id": message,
            }
        return found
