"""Replying: what a route ends with goes back to whoever sent the request."""

from typing import Any

from aiormq.abc import DeliveredMessage

from routekit import Logged, Message, Runtime, Unavailable

from .asking import ADDRESS
from .confirming import Publication
from .content import Contents
from .faults import Returned
from .line import Line
from .properties import Properties
from .publishing import Publisher

WHAT = "rabbitmq: a reply"


class Replying:
    """Sends replies to the queue that a request names, by the default exchange: nowhere but into a queue."""

    def __init__(self, runtime: Runtime, line: Line) -> None:
        self._runtime = runtime
        self._contents = Contents(runtime, None)
        self._properties = Properties("*", persistent=True)
        self._publisher = Publisher(line, WHAT, _nothing, patience=0)
        self._closed = False

    async def reply(self, request: DeliveredMessage, message: Message[Any] | None) -> None:
        """Send the reply, if the request wants one and there is one; raises Unavailable while it cannot be sent.

        One whose queue is gone is dropped, with a line in the log: whoever asked is no longer there.
        """
        properties = request.header.properties
        address = properties.reply_to
        if message is None or not address:
            return
        if self._closed:
            raise Unavailable(f"{WHAT}: the route is closed")
        body, content_type = self._contents.written(message.body)
        given = {"correlation_id": properties.correlation_id or properties.message_id}
        made = self._properties.of(message, self._runtime.now(), given, content_type)
        made.reply_to = None
        direct = address.startswith(ADDRESS)  # a name of the broker and no queue: it would be returned always
        try:
            await self._publisher.publish(Publication("", address, body, made, mandatory=not direct))
        except Returned as error:
            text = f"{error.message}: nobody waits for the reply to {properties.message_id or 'a request'} any more"
            self._runtime.emit(Logged(self._runtime.route, "warning", text))

    async def close(self) -> None:
        """Send no more."""
        self._closed = True
        await self._publisher.close()


async def _nothing(channel: Any) -> None:
    """A reply goes to a queue that is not ours to declare."""
