"""People of a CRM and parties of an ERP, tickets of a CRM and issues of a helpdesk: kept in step, both ways."""

import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from routekit import Runtime
from routekit.remotes import Abilities, Fields, Record, Remote, Session
from routekit_connectors import bottlecrm, roundup, tryton
from routekit_sync import Match, SyncPair, Unit


@dataclass(frozen=True)
class Deadly:
    """A remote; this process is killed once the write that `ROUTEKIT_TEST_KILL` names, `create/a`, was answered."""

    remote: Remote
    side: str

    @property
    def name(self) -> str:
        return self.remote.name

    @property
    def abilities(self) -> Abilities:
        return self.remote.abilities

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Session]:
        async with self.remote.open(runtime) as session:
            yield cast("Session", _Deadly(session, self.side))


class _Deadly:
    def __init__(self, session: Session, side: str) -> None:
        self._session, self._side = session, side

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def create(self, fields: Fields, *, key: str) -> Record:
        made = await self._session.create(fields, key=key)
        self._die("create")
        return made

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        made = await self._session.update(id, fields, version=version, key=key)
        self._die("update")
        return made

    def _die(self, op: str) -> None:
        if os.environ.get("ROUTEKIT_TEST_KILL") == f"{op}/{self._side}":
            os.kill(os.getpid(), signal.SIGKILL)


def same(a: str, b: str, words: Mapping[str, str] | None = None) -> Unit:
    """A field that both have; `words` are those of side a by which b has others."""
    there, back = words or {}, {value: key for key, value in (words or {}).items()}
    return Unit(
        a,
        [a],
        [b],
        lambda fields: {b: there.get(str(fields.get(a)), fields.get(a))},
        lambda fields: {a: back.get(str(fields.get(b)), fields.get(b))},
    )


def whole(fields: Fields) -> Fields:
    return {"name": " ".join(str(fields[part]) for part in ("first_name", "last_name") if fields.get(part))}


def parts(fields: Fields) -> Fields:
    first, _, last = str(fields["name"]).partition(" ")
    return {"first_name": first, "last_name": last}


people = SyncPair(
    name="people",
    a=Deadly(bottlecrm.contacts("crm", link="routekit_id"), "a"),
    b=Deadly(tryton.parties("erp"), "b"),
    units=[
        Unit("name", ["first_name", "last_name"], ["name"], whole, parts),
        same("email", "email"),
        same("phone", "phone"),
    ],
    match=[Match("email", ["email"], ["email"])],
    scope_a=lambda contact: bool(contact.fields.get("email")),
    scope_b=lambda party: bool(party.fields.get("email")),
)

STATES = {"New": "unread", "Assigned": "in-progress", "Pending": "deferred", "Closed": "resolved"}
WEIGHTS = {"Low": "wish", "Normal": "feature", "High": "bug", "Urgent": "critical"}

tickets = SyncPair(
    name="tickets",
    a=Deadly(bottlecrm.cases("crm", link="routekit_id"), "a"),
    b=Deadly(roundup.issues("desk"), "b"),
    units=[same("name", "title"), same("status", "status", STATES), same("priority", "priority", WEIGHTS)],
    match=[Match("title", ["name"], ["title"])],
)
