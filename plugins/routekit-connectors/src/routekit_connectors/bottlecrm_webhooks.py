"""Webhooks of BottleCRM: asking for them, and what one of them says. They are hints of where to look, and no more.

They come unordered, more than once, or, when the receiver was down for long, not at all: what has changed is always
read again, and a full comparison finds the rest.

The server of `routekit-http` verifies them, over the bytes as they came: `[http_signature.NAME]` with `scheme` as
`SCHEME` and `secrets`, of which several count while one is replaced.

BottleCRM lets no token manage webhooks. The connection that `subscribe` is given has the session of an administrator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import SecretStr

from routekit import Runtime
from routekit.remotes import Unclear
from routekit_http import client_of, found_at

from .answers import Outcomes
from .asking import Asking

SCHEME: Final = "bottlecrm"
"""How they are signed: `X-BottleCRM-Signature: t=SECONDS,v1=HEX`, over the time, a full stop and the body."""

EVENTS: Final[Mapping[str, Sequence[str]]] = {
    "contacts": ("contact.created", "contact.updated", "contact.deleted"),
    "accounts": ("account.created", "account.updated", "account.deleted"),
    "leads": ("lead.created", "lead.updated", "lead.deleted"),
    "deals": ("deal.created", "deal.updated", "deal.deleted"),
    "cases": ("ticket.created", "ticket.updated", "ticket.comment_added"),
}
"""The events of each kind of object. Of a case that is deleted nothing is told."""

_KINDS: Final = {event.partition(".")[0]: kind for kind, events in EVENTS.items() for event in events}
_OUTCOMES: Final = Outcomes(errors=["errors", ""])


@dataclass(frozen=True, slots=True)
class Changed:
    """What a webhook says: that something happened to a record."""

    kind: str
    """As the functions of `routekit_connectors.bottlecrm` are called: `contacts`."""
    id: str
    event: str
    delivery: str
    """The id of the event, which is the same when it is sent again."""

    @property
    def deleted(self) -> bool:
        """Whether the record is said to be gone."""
        return self.event.endswith(".deleted")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A webhook that BottleCRM sends. It tells the secret only when it makes it: keep it then."""

    id: str
    secret: SecretStr


def changed(body: Mapping[str, Any]) -> Changed | None:
    """What the body of a webhook says, or None if it concerns no record that there is a connector for, as a ping does.

    >>> changed({"id": "1", "event": "contact.updated", "data": {"id": "7"}})
    Changed(kind='contacts', id='7', event='contact.updated', delivery='1')
    >>> changed({"id": "2", "event": "ticket.comment_added", "data": {"id": "8", "ticket_id": "9"}}).id
    '9'
    >>> changed({"id": "3", "event": "ping", "data": {}}) is None
    True
    """
    event = str(body.get("event"))
    kind = _KINDS.get(event.partition(".")[0])
    own = found_at(body, "data/ticket_id" if event == "ticket.comment_added" else "data/id")
    return None if kind is None or own is None else Changed(kind, str(own), event, str(body.get("id")))


async def subscribe(runtime: Runtime, connection: str, url: str, kinds: Sequence[str]) -> Subscription:
    """Have the events of these kinds of objects sent to a URL.

    If there is a webhook to this URL already, its events are set, and it gets a new secret. BottleCRM takes only https
    and addresses that are public, and refuses others with `Refused`.
    """
    asking = await _asking(runtime, connection)
    events = [event for kind in kinds for event in EVENTS[kind]]
    known = await _known(asking, url)
    if known is None:
        made = await asking.ask("POST", "webhooks/", doing="create", document={"url": url, "events": events})
        return _told(made.document, found_at(made.document, "id"))
    wanted = {"events": events, "is_active": True}
    await asking.ask("PATCH", "webhooks/{id}/", {"id": known}, doing="update", record=known, document=wanted)
    told = await asking.ask("POST", "webhooks/{id}/rotate-secret/", {"id": known}, doing="update", record=known)
    return _told(told.document, known)


async def unsubscribe(runtime: Runtime, connection: str, url: str) -> bool:
    """Have nothing sent to a URL any more; whether anything was."""
    asking = await _asking(runtime, connection)
    known = await _known(asking, url)
    if known is None:
        return False
    await asking.ask("DELETE", "webhooks/{id}/", {"id": known}, doing="delete", record=known)
    return True


async def _asking(runtime: Runtime, connection: str) -> Asking:
    return Asking(await client_of(runtime, connection), _OUTCOMES, runtime.now)


async def _known(asking: Asking, url: str) -> str | None:
    answer = await asking.ask("GET", "webhooks/")
    listed = found_at(answer.document, "endpoints")
    if not isinstance(listed, list):
        raise Unclear("bottlecrm webhooks: the answer has no list of them")
    ids = (str(found_at(row, "id")) for row in cast("list[Any]", listed) if found_at(row, "url") == url)
    return next(ids, None)


def _told(document: Any, id: Any) -> Subscription:
    secret = found_at(document, "secret")
    if not isinstance(secret, str) or id is None:
        raise Unclear("bottlecrm webhooks: no secret was told", hint="subscribe again: that makes a new one")
    return Subscription(str(id), SecretStr(secret))
