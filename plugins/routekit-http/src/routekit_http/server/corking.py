"""Head and body of an answer in one piece: two writes to a socket cost more than all the rest of a small request."""

from typing import Any


class Corked:
    """A transport of asyncio that keeps the head of an answer until its body comes, or the event loop turns."""

    def __init__(self, transport: Any, loop: Any) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.resume_reading = transport.resume_reading
        self.pause_reading = transport.pause_reading
        self.set_protocol = transport.set_protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, soon."""
        if self._head:
            data = self._head + data
            self._head = b""
        elif type(data) is bytes and data.startswith(b"HTTP/1."):
            self._head = data
            self._loop.call_soon(self.flush)
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Write what is kept."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Close, when all is written."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
