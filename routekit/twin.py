"""How the endpoints of a scheme behave in memory, where a test replaces them: what is sent there is read there."""

from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from .codec import Codec
from .endpoint import Endpoint, Producer, Source, address_of
from .message import Message
from .plain import plain
from .step import CodecChoice


class Twin:
    """What stands for the other side of all endpoints of one scheme in a test, without any server.

    This one serves any scheme: what is sent to `scheme:path` is read from `scheme:path`. A plugin whose endpoints meet
    elsewhere, such as by an exchange, or carry bodies in another way, gives a subclass to the hook `register_twins`.
    One is made for each test; its options have been checked by the endpoint's own class. `codec` finds codecs by name.
    """

    def __init__(self, codec: Callable[[CodecChoice], Codec]) -> None:
        self.codec = codec

    def reads(self, source: Source) -> str:
        """The address that a source reads from; called for every source before the first message is sent."""
        return address_of(source)

    def sends(self, sink: Producer, message: Message[Any], options: Mapping[str, Any]) -> Sequence[str]:
        """The addresses at which a message arrives; `options` are those computed for it. Raises what a send raises."""
        return (address_of(sink),)

    def written(self, sink: Producer, message: Message[Any], options: Mapping[str, Any]) -> Message[Any]:
        """The message as the other side has it, to be read by others.

        An endpoint with a field `codec` writes bytes: by that codec, or bytes and text as they are and others as JSON;
        without a codec a path or a stream stays what it is. Other endpoints get plain data, such as a row. Raises
        BodyError for what cannot be written.
        """
        if "codec" not in type(sink).model_fields:
            return message.with_body(plain(message.body))
        if isinstance(message.body, bytes | bytearray):
            return message.with_body(bytes(message.body))
        choice = chosen(sink)
        if choice is None and isinstance(message.body, PurePath | AsyncIterable | Iterator):
            return message
        if choice is None and isinstance(message.body, str):
            return message.with_body(message.body.encode())
        return message.with_body(self.codec("json" if choice is None else choice).encode(message.body))

    def answer(self, sink: Producer, message: Message[Any], options: Mapping[str, Any]) -> Message[Any] | None:
        """What the sender gets back, where the test does not say it: nothing."""
        return None

    def read(self, source: Source, message: Message[Any]) -> Message[Any]:
        """The message as a source gives it to its route: bytes decoded by the codec that it was told.

        Raises BodyError for what that cannot read: the message then comes as one that is known to be wrong.
        """
        choice = chosen(source)
        if choice is None or not isinstance(message.body, bytes | bytearray):
            return message
        return message.with_body(self.codec(choice).decode(bytes(message.body)))


def chosen(endpoint: Endpoint) -> CodecChoice | None:
    """The codec that an endpoint was told to use, if it has such an option."""
    return getattr(endpoint, "codec", None)
