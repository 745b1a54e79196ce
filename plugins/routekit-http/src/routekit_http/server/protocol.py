"""uvicorn's protocol with what it lacks: a head of a request is bounded in size and in time."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .corking import Corked

MAX_HEAD = 64 << 10
HEAD_TIMEOUT = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that do not come to the point."""

    max_head = MAX_HEAD
    head_timeout = HEAD_TIMEOUT

    _begun = 0
    _in_head = True
    _timer: Any = None

    def connection_made(self, transport: Any) -> None:
        """A client has connected, and has to say what it wants."""
        super().connection_made(Corked(transport, self.loop))  # type: ignore[arg-type]  # as much of one as is used
        self._in_head = True
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._arm()  # only now: most requests come in one piece
            self._begun += len(data)
            if self._begun > self.max_head:
                self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._begun = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is here."""
        self._in_head = False
        if self._timer is not None:
            self._disarm()
        super().on_headers_complete()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_timeout, self._refuse, b"408 Request Timeout")

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: bytes) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
            self.transport.close()


def protocol_with(max_head: int, head_timeout: float) -> type[BoundedProtocol]:
    """The protocol with these bounds."""
    return type("Bounded", (BoundedProtocol,), {"max_head": max_head, "head_timeout": head_timeout})
