"""What the endpoints that connect say of themselves in the reference, beside their options."""

from collections.abc import Mapping

from routekit import About

from .errors import HttpConflict, HttpRejected, HttpUnavailable
from .settings import ConnectionSettings

_CONNECTION = {"http.NAME": ConnectionSettings}
_AWAY: Mapping[type[Exception], str] = {
    HttpUnavailable: "it cannot be reached, is too slow or busy, or does not accept the credentials"
}

SINK = About(
    headers={"http.status": "the status of the answer", "http.NAME": "each header of the answer that `keep` names"},
    reads={
        "NAME": "each header that `forward` names is sent",
        "traceparent": "is sent if something follows the message, `tracestate` too",
    },
    raises={
        **_AWAY,
        HttpRejected: "it refuses the request for good, or the request may not be sent",
        HttpConflict: "409 and 412: what is to be changed has changed meanwhile",
    },
    figures={
        "requests_total": "requests of the connection, of all routes that share it",
        "at_work": "requests of this sink that wait for their turn or their answer",
    },
    settings=_CONNECTION,
)
POLL = About(
    headers={"http.feed": "the name of the poll"},
    raises=_AWAY,
    figures={
        "requests_total": "requests of the connection, of all routes that share it",
        "pages": "pages that are not done yet, since a row of them is not, or of one before",
    },
    settings=_CONNECTION,
)
EVENTS = About(
    headers={"sse.event": "the type of the event", "sse.id": "the last id that the stream has named"},
    raises=_AWAY,
    figures={"opened_total": "how often the stream was opened", "events_total": "events that came, of all types"},
    settings=_CONNECTION,
)
HEARING = About(
    raises=_AWAY,
    figures={"opened_total": "how often it was connected to", "waiting": "messages that are read and not handled yet"},
    settings=_CONNECTION,
)
SENDING = About(
    raises={**_AWAY, HttpRejected: "it refuses the connection for good"},
    figures={
        "connected": "1 while it is connected, else 0",
        "opened_total": "how often it was connected to",
        "ignored_total": "messages of the server that were passed by",
    },
    settings=_CONNECTION,
)
