"""People: who is on the list of the personnel office can work at the helpdesk, and who has left cannot.

The list is asked for every 60 seconds, page by page. Joiners get a user, changes of name and address are written, and
only those. Leavers lose their roles and with them the login; whoever comes back is the same user again. Who is not on
the list any more loses the user, unless suddenly many are gone: then nothing is taken away until a person has looked
(`routekit sync brake`). Nothing is ever written to the personnel office.

Needs the connections `hr` (an API of JSON pages) and `desk` (Roundup); see docs/routes/people.md.
"""

from datetime import date
from typing import Annotated

from pydantic import BaseModel

from routekit import Sensitive, from_
from routekit.remotes import Abilities
from routekit_connectors import Field, HttpRemote, Numbered, Profile, roundup
from routekit_mapping import Mapping, computed, convert, email, fields, normalised, same
from routekit_sync import Brake, Deleted, Match, Summary, SyncPair, units_of

OFFICE = Profile(
    name="people of the office",
    path="users",
    rows="users",
    fields=[
        Field("login", writable=False),
        Field("name", writable=False),
        Field("email", writable=False),
        Field("state", writable=False, says="`active`, `leave` or `left`"),
    ],
    abilities=Abilities(can_create=False, can_update=False, can_delete=False, verified=date(2026, 11, 21)),
    scan=Numbered(param="page", size_param="per_page", size=100),
)
"""What the personnel office has: no feed, so all are read and compared."""


class Employee(BaseModel):
    """One on the list of the office."""

    login: str
    name: Annotated[str, Sensitive("name")]
    email: Annotated[str, Sensitive("email")]
    state: str = "active"


class User(BaseModel):
    """One who may log in to the helpdesk."""

    username: str
    name: Annotated[str, Sensitive("name")] | None = None
    email: Annotated[str, Sensitive("email")] | None = None
    roles: str | None = None


e, u = fields(Employee), fields(User)

PEOPLE = Mapping(
    Employee,
    User,
    same(e.login, u.username, direction="to_b"),
    same(e.name, u.name, direction="to_b"),
    convert(e.email, u.email, normalised(email), direction="to_b"),
    computed(u.roles, e.state, lambda state: "" if state == "left" else "User", name="roles"),
    name="people",
)


people = SyncPair(
    "people",
    a=HttpRemote(OFFICE, "hr"),
    b=roundup.users("desk"),
    units=units_of(PEOPLE, revert=["login", "name", "email"]),
    match=[Match("login", ["login"], ["username"])],
    creates="b",
    deletes=Deleted.DELETE,
    brake=Brake(count=3, ratio=0.02),
)

in_step = from_("sync:routes.people:people?every=60s&quiet=true", Summary)
"""Each cycle is a line in the log; its message is for who wants to be told of it."""
