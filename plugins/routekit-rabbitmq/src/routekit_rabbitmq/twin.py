"""RabbitMQ in memory, for tests of routes: exchanges and bindings, and what a message comes with."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from routekit import Codec, Consumer, Listener, Message, Producer, Twin

from .content import Contents
from .properties import PREFIX, Properties, headers_of, known_as
from .sending import GIVEN
from .sink import RabbitMQSink
from .source import RabbitMQSource

_KEY = PREFIX + "routing_key"


class RabbitMQTwin(Twin):
    """What is sent to a queue is read from it; what is sent to an exchange, from the queues that sources bind to it.

    An exchange distributes as the sources of a test say. A message that no queue takes is not an error here: the other
    side need not be part of the test. Bodies, headers and properties are what a broker would pass on.
    """

    def __init__(self, codec: Callable[[Any], Codec]) -> None:
        super().__init__(codec)
        self._sources: dict[str, RabbitMQSource] = {}

    def reads(self, source: Consumer | Listener) -> str:
        """Its queue, which is bound from now on; one without a name is its own."""
        assert isinstance(source, RabbitMQSource)
        queue = f"rabbitmq:{source.queue or f'amq.gen-{len(self._sources) + 1}'}"
        self._sources[queue] = source
        return queue

    def sends(self, sink: Producer, message: Message[Any], options: Mapping[str, Any]) -> Sequence[str]:
        """The queue, or those that are bound to the exchange in a way that fits."""
        assert isinstance(sink, RabbitMQSink)
        if not sink.exchange:
            return [f"rabbitmq:{sink.queue}"]
        key = str(message.headers[_KEY])
        bound = [(queue, source) for queue, source in self._sources.items() if source.exchange == sink.exchange]
        return [queue for queue, source in bound if _takes(source, key, message.headers)]

    def written(self, sink: Producer, message: Message[Any], options: Mapping[str, Any]) -> Message[Any]:
        """As it would be published; raises BodyError, or Rejected for what AMQP cannot carry."""
        assert isinstance(sink, RabbitMQSink)
        given = {name: getattr(sink, name) for name in GIVEN} | {n: v for n, v in options.items() if n in GIVEN}
        given["type"] = given.pop("message_type")
        if given["expiration"] is not None:
            given["expiration"] = str(round(given["expiration"] * 1000))
        body, content_type = Contents(cast("Any", self), sink.codec).written(message.body)  # it only asks for codecs
        properties = Properties(sink.headers, persistent=sink.persistent).of(message, 0.0, given, content_type)
        if PREFIX + "timestamp" not in message.headers:
            properties.timestamp = None  # there is no clock here
        key = options.get("key", sink.key) if sink.exchange else sink.queue
        delivered = SimpleNamespace(
            header=SimpleNamespace(properties=properties), exchange=sink.exchange, routing_key=key, redelivered=False
        )
        return Message(body, headers_of(cast("Any", delivered)), known_as(message.id))

    def read(self, source: Consumer | Listener, message: Message[Any]) -> Message[Any]:
        """As the source gives it, for the first time; where messages come in batches, each is one of its own."""
        assert isinstance(source, RabbitMQSource)
        found = super().read(source, message).with_header(f"{PREFIX}deliveries", 1)
        return found if source.batch is None else found.with_body([found.body]).with_header(f"{PREFIX}batch", 1)


def _takes(source: RabbitMQSource, key: str, headers: Mapping[str, Any]) -> bool:
    """Whether an exchange puts a message into the queue of a source that is bound to it."""
    keys = [bound.strip() for bound in source.bind.split(",") if bound.strip()] or [""]
    if source.exchange_type == "headers":
        return matched(source.match, headers)
    if source.exchange_type == "topic":
        return any(fits(bound.split("."), key.split(".")) for bound in keys)
    return source.exchange_type == "fanout" or key in keys


def matched(wanted: Mapping[str, str], headers: Mapping[str, Any]) -> bool:
    """Whether headers are as a binding wants them: all of them, or any with `x-match=any`.

    >>> matched({"format": "pdf", "x-match": "any"}, {"format": "pdf"}), matched({"a": "1", "b": "2"}, {"a": "1"})
    (True, False)
    """
    found = [str(headers.get(name)) == value for name, value in wanted.items() if not name.startswith("x-")]
    return any(found) if wanted.get("x-match", "all").startswith("any") else all(found)


def fits(pattern: Sequence[str], words: Sequence[str]) -> bool:
    """Whether the words of a routing key fit a topic: `*` is one word, `#` any number of them.

    >>> fits("order.*".split("."), "order.new".split(".")), fits("#.eu".split("."), "order.new.us".split("."))
    (True, False)
    """
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(fits(pattern[1:], words[at:]) for at in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and fits(pattern[1:], words[1:])
