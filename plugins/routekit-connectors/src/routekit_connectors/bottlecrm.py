"""BottleCRM: contacts, accounts, leads, deals and cases as remotes.

The connection `[http.NAME]` has the URL of the API, such as `https://crm.example.com/api`, and `auth` of kind `bearer`
with a personal access token of a user for RouteKit alone.

It tells no changes: there is no list of what was changed since, so all is read and compared, and webhooks say sooner
where to look (`routekit_connectors.bottlecrm_webhooks`). It checks no versions: an edit at the very same time is lost.
What it does not know in a write it leaves out without a word, so each field here was seen to be kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Final, cast

from routekit.remotes import Abilities, Fields, Taken, Unclear
from routekit_http import found_at

from .answers import Answer, Outcomes, Sign
from .fields import Field
from .paging import Offset, Position
from .profile import Find, Profile
from .remote import HttpRemote, HttpSession

CONNECTION: Final = "bottlecrm"
SEEN: Final = date(2026, 11, 21)
"""When it was last seen to hold, with django-crm 1.35."""
_SIZE: Final = 500


def contacts(connection: str = CONNECTION, *, link: str | None = None, custom: Sequence[str] = ()) -> HttpRemote:
    """People. An address of mail is there once, in any letter case: a second one is refused with `Taken`.

    `link` is the key of a custom field, of kind text, that takes an id of ours: by it a record is found whose create
    had no answer. `custom` are keys of others that records are to have, as texts.
    """
    return _remote(_CONTACTS, connection, link, custom)


def accounts(connection: str = CONNECTION, *, link: str | None = None, custom: Sequence[str] = ()) -> HttpRemote:
    """Companies. A name is there once, in any letter case. The options are those of `contacts`."""
    return _remote(_ACCOUNTS, connection, link, custom)


def leads(connection: str = CONNECTION, *, link: str | None = None, custom: Sequence[str] = ()) -> HttpRemote:
    """People who may buy. One that was converted is in no list any more, and still found by its id."""
    return _remote(_LEADS, connection, link, custom)


def deals(connection: str = CONNECTION, *, link: str | None = None, custom: Sequence[str] = ()) -> HttpRemote:
    """What is being sold: the opportunities."""
    return _remote(_DEALS, connection, link, custom)


def cases(connection: str = CONNECTION, *, link: str | None = None, custom: Sequence[str] = ()) -> HttpRemote:
    """Tickets. A name is there once: number them, if they come from where it need not be."""
    return _remote(_CASES, connection, link, custom)


@dataclass(frozen=True)
class Pages(Offset):
    """Several lists by one offset: only a page on which none of them has a row is behind the last one."""

    def after(self, position: Position, answer: Answer, rows: Sequence[Any]) -> Position:
        """A page further."""
        return None if not rows else (position or 0) + self.size


class Lists(HttpSession):
    """Rows in one list or in several, whose places have a blank between them."""

    def rows(self, answer: Answer) -> Sequence[Any]:
        """Those of all of them."""
        found: list[Any] = []
        for place in self.profile.rows.split():
            listed = found_at(answer.document, place)
            if not isinstance(listed, list):
                raise Unclear(f"{self.profile.name}: the answer has no list at '{place}'")
            found += cast("list[Any]", listed)
        return found


class BottleRemote(HttpRemote):
    """One kind of object of BottleCRM."""

    session: ClassVar[type[HttpSession]] = Lists


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is different from one kind of object to the next."""

    name: str
    path: str
    row: str
    rows: str
    find: str
    """The field that is there once."""
    fields: Sequence[Field]
    stamp: str = ""
    archive: Fields | None = None


def _remote(kind: _Kind, connection: str, link: str | None, custom: Sequence[str]) -> HttpRemote:
    keys = (*([link] if link else []), *custom)
    known = Find(kind.find, exact=False, fold=True)
    profile = Profile(
        name=f"bottlecrm {kind.name}",
        path=f"{kind.path}/",
        item=f"{kind.path}/{{id}}/",
        fields=[*kind.fields, *_custom(keys)],
        abilities=Abilities(findable=(kind.find,), external_key=link, archive=kind.archive, verified=SEEN),
        rows=kind.rows,
        row=kind.row,
        stamp=kind.stamp,
        scan=Pages(size=_SIZE),
        finds={kind.find: known, **({link: Find(f"cf_{link}")} if link else {})},
        outcomes=Outcomes(signs=[_DOUBLE], errors=["errors"]),
        seen=SEEN,
    )
    return BottleRemote(profile, connection)


def _custom(keys: Sequence[str]) -> Iterator[Field]:
    for key in keys:
        yield _text(key, f"custom_fields/{key}", says="a custom field of the organisation")


def _text(name: str, at: str = "", *, says: str = "") -> Field:
    """A text: that it is empty and that there is none mean the same to people."""
    return Field(name, at, read=_filled, says=says)


def _filled(text: Any) -> Any:
    return None if text == "" else text


def _ids(found: Any) -> Any:
    """Ids of rows that come whole, though they are written by their ids."""
    return sorted(str(_id(row)) for row in cast("list[Any]", found))


def _id(found: Any) -> Any:
    return found_at(found, "id") if isinstance(found, Mapping) else found


_DOUBLE: Final = Sign(Taken, status=(400,), at="errors", says="already exists with|already uses that email")
_ACTIVE: Final = Field("active", "is_active", says="whether it is in use")
_ACCOUNT: Final = Field("account", read=_id, says="the id of the account")
_PEOPLE: Final = Field("contacts", read=_ids, says="ids of contacts")
_ASSIGNED: Final = Field("assigned_to", read=_ids, says="ids of profiles")
_NOTES: Final = _text("notes", "description")
_CREATED: Final = Field("created", "created_at", writable=False)
_ADDRESS: Final = (
    *(_text("street", "address_line"), _text("city"), _text("state"), _text("postcode")),
    _text("country", says="two letters, such as DE"),
)

_CONTACTS: Final = _Kind(
    *("contacts", "contacts", "contact_obj", "results", "email"),
    fields=(
        *(Field("first_name"), Field("last_name"), _text("email"), _text("phone"), _text("company", "organization")),
        *(_text("job_title", "title"), _text("department"), *_ADDRESS, Field("do_not_call")),
        *(_text("linkedin", "linkedin_url"), _NOTES, _ACTIVE, _ACCOUNT, _ASSIGNED, _CREATED),
    ),
    stamp="updated_at",
    archive={"active": False},
)
_ACCOUNTS: Final = _Kind(
    *("accounts", "accounts", "account_obj", "active_accounts/open_accounts closed_accounts/close_accounts", "name"),
    fields=(
        *(Field("name"), _text("email"), _text("phone"), _text("website"), _text("industry")),
        *(Field("employees", "number_of_employees"), Field("revenue", "annual_revenue", says="a decimal, as text")),
        *(_text("currency"), *_ADDRESS, _NOTES, _ACTIVE, _ASSIGNED, _CREATED),
    ),
    archive={"active": False},
)
_LEADS: Final = _Kind(
    *("leads", "leads", "lead_obj", "open_leads/open_leads close_leads/close_leads", "email"),
    fields=(
        *(Field("title"), Field("first_name"), Field("last_name"), _text("email"), _text("phone")),
        *(_text("job_title"), _text("company", "company_name"), _text("website"), _text("linkedin", "linkedin_url")),
        Field("status", says="`assigned`, `in process`, `converted`, `recycled` or `closed`"),
        *(_text("source"), _text("industry"), _text("rating")),
        *(Field("amount", "opportunity_amount", says="a decimal, as text"), _text("currency"), Field("probability")),
        *(Field("close_date"), *_ADDRESS, _NOTES, _ASSIGNED, _CREATED),
    ),
    stamp="updated_at",
    archive={"status": "closed"},
)
_DEALS: Final = _Kind(
    *("deals", "opportunities", "opportunity_obj", "opportunities", "name"),
    fields=(
        *(Field("name"), Field("stage", says="`PROSPECTING` and others, `CLOSED_WON`, `CLOSED_LOST`")),
        *(Field("amount", says="a decimal, as text"), _text("currency"), Field("probability"), Field("closed_on")),
        *(_text("source", "lead_source"), _ACCOUNT, _PEOPLE, _NOTES, _ASSIGNED, _CREATED),
    ),
)
_CASES: Final = _Kind(
    *("cases", "cases", "cases_obj", "cases", "name"),
    fields=(
        Field("name"),
        Field("status", says="`New`, `Assigned`, `Pending`, `Closed`, `Rejected` or `Duplicate`"),
        Field("priority", says="`Low`, `Normal`, `High` or `Urgent`"),
        *(_text("type", "case_type", says="`Question`, `Incident` or `Problem`"), _NOTES),
        Field("closed_on", writable=False, says="the day that it was closed, which the system sets"),
        *(_ACCOUNT, _PEOPLE, _ASSIGNED, _CREATED),
    ),
    archive={"status": "Closed"},
)
