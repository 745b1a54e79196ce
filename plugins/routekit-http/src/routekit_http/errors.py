"""What the other side of a connection can do wrong.

Rejected
└── HttpRejected         it refuses this request for good; so do the guards of the sink
    └── HttpConflict     what is to be changed has changed meanwhile: 409, 412
Unavailable
└── HttpUnavailable      it cannot be reached, is too slow or busy, or does not accept the credentials
"""

from routekit import Rejected, Unavailable


class HttpRejected(Rejected):
    """The request can never succeed as it is. `status` is None if it was not even sent; `text` is what was answered."""

    def __init__(self, message: str, *, status: int | None = None, text: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.text = text


class HttpConflict(HttpRejected):
    """The state of what is to be changed is not the one that was expected: read it again before trying again."""


class HttpUnavailable(Unavailable):
    """Another try may help.

    `retry_after` is how many seconds the other side asked to wait. `sent` is false if nothing can have arrived there,
    so that even what must not happen twice may be tried again: `Retry(when=lambda error: not error.sent)`.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        text: str = "",
        retry_after: float | None = None,
        sent: bool = True,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.text = text
        self.retry_after = retry_after
        self.sent = sent
