"""Roundup: issues, messages and users of a tracker as remotes.

The connection `[http.NAME]` has the web address of the tracker, such as `https://example.com/tracker`, and `auth` of
kind `basic` with a user for RouteKit alone, whose time zone is UTC: by that the tracker understands times.

Each write names the version it rests on, or is refused. A create is asked for with a URL that works once. It is kept in
the store before it is used, so that after a crash the same create is refused, and made twice by nobody.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

from routekit import Runtime, Values
from routekit.remotes import Abilities, Budget, Creating, Feed, Fields, Forbidden, Gone, Record, Refused, Taken, Unclear
from routekit_http import client_of, found_at

from .answers import Answer, Outcomes, Sign
from .asking import Asking
from .fields import Field, document_of
from .paging import Ask, Keyset, Position
from .profile import Etag, Find, Profile, Since
from .remote import HttpRemote, HttpSession

CONNECTION: Final = "roundup"
SEEN: Final = date(2026, 11, 21)
"""When it was last seen to hold, with Roundup 2.6."""
LIFE: Final = 3600.0
"""Seconds for which a URL that works once does so; the tracker allows no more."""
_STAMP: Final = "%Y-%m-%d.%H:%M:%S"
_SIZE: Final = 500


def issues(
    connection: str = CONNECTION,
    *,
    link: str | None = None,
    closed: str | None = "resolved",
    calls: Budget | None = None,
) -> HttpRemote:
    """Issues of the classic tracker: people and states are called by their names.

    `link` is a property of the tracker's issues, a String that its schema has been given, which takes an id of ours.
    `closed` is the status that puts an issue out of use; None: there is none.
    `calls` says how many calls of one user the tracker takes, as its `api_calls_per_interval` has it.
    """
    table = (
        *(_text("title"), _link("status"), _link("priority"), _link("assigned_to", "assignedto")),
        *(_links("keywords", "keyword"), _links("nosy"), Field("superseded_by", "superseder", read=_ids)),
        Field("messages", read=_ids, says="ids of messages, which a write gives in full"),
        *([_text(link, says="a property that the tracker was given")] if link else []),
        *_OWN,
    )
    finds = {"title": Find("title:"), **({link: Find(f"{link}:")} if link else {})}
    archive = None if closed is None else {"status": closed}
    return _remote("issues", "issue", table, connection, finds, link, calls, archive=archive)


def messages(connection: str = CONNECTION, *, calls: Budget | None = None) -> HttpRemote:
    """What was said of issues; the issue names its messages, and not they the issue."""
    table = (
        *(_text("content"), _link("author"), Field("date", read=_moment, write=_written)),
        *(_links("recipients"), _text("summary"), *_OWN),
    )
    return _remote("messages", "msg", table, connection, {}, None, calls, verbose=3)


def users(connection: str = CONNECTION, *, calls: Budget | None = None) -> HttpRemote:
    """Who may log in. A name of a user is there once: a second one is refused with `Taken`."""
    table = (
        *(_text("username"), _text("email", "address"), _text("other_emails", "alternate_addresses")),
        *(_text("name", "realname"), _text("phone"), _text("organisation"), _text("roles"), _text("timezone"), *_OWN),
    )
    finds = {"username": Find("username:"), "email": Find("address:")}
    return _remote("users", "user", table, connection, finds, None, calls)


class FromActivity(Keyset):
    """By the time of the last change, of which the row at hand is the first one that is asked for."""

    def ask(self, position: Position) -> Ask:
        """The rows from this time on."""
        asked = super().ask(position)
        since = asked.query.get(self.param)
        return asked if since is None else replace(asked, query={**asked.query, self.param: f"{since};"})


class RoundupSession(HttpSession):
    """What a profile cannot say: what marks a call as none of a browser, retired records, and a create that works once.

    `kept` holds the URLs of creates by the key of each.
    """

    def __init__(self, profile: Profile, asking: Asking, kept: Values) -> None:
        super().__init__(profile, asking)
        self._kept = kept

    def record(self, row: Any, answer: Answer | None = None) -> Record:
        """A row of a list, or one record, which has its fields a level deeper."""
        deeper = found_at(row, "attributes")
        flat = {**cast("Mapping[str, Any]", row), **cast("Mapping[str, Any]", deeper)} if deeper is not None else row
        return super().record(flat)  # the version is in the document, and the header's depends on compression

    async def get(self, id: str) -> Record | None:
        """One record, in two calls: a retired one still answers by its id, and only lists leave it out."""
        found = await super().get(id)
        if found is None:
            return None
        query = {"@fields": "id", "id": id}
        answer = await self.ask("GET", self.profile.path, query=query)
        return found if any(str(found_at(row, "id")) == id for row in self.rows(answer)) else None

    async def create(self, fields: Fields, *, key: str) -> Record:
        """A new record; the same key makes no second one, and is refused with `Taken`, which cannot name the first.

        What else is refused is not made, and the key may be used again.
        """
        document = document_of(fields, self.profile.fields, self.profile.name, new=True)
        place = f"{self.asking.client.label}/{self.profile.path}/{key}"
        once = await self._once(place)
        try:
            answer = await self.ask("POST", f"{self.profile.path}/@poe/{{once}}", {"once": once}, document=document)
        except Refused as error:
            if "POE token" in error.message:
                found = f"{self.profile.name}: this create was asked for before, and may have been carried out"
                raise Taken(found, hint="look for the record") from error
            await self._kept.delete(place)  # a refusal has used it up
            raise
        except (Taken, Forbidden):
            await self._kept.delete(place)
            raise
        return self.written(answer, "")

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        """A changed record; see `routekit.remotes.Session`."""
        emptied = [name for name in _EMPTIED if fields.get(name) == []]
        if emptied:  # the tracker's own programs fail on an empty list: what is in it is taken out of it
            found = await self.get(id)
            if found is None:
                raise Gone(f"{self.profile.name}: {id} is not there any more")
            version = version or found.version
            taken = {name: [f"-{one}" for one in found.fields.get(name, ())] for name in emptied}
            fields = {name: taken.get(name, value) for name, value in fields.items() if taken.get(name) != []}
            if not fields:
                return found
        return await super().update(id, fields, version=version, key=key)

    async def delete(self, id: str, *, version: str | None = None) -> None:
        """No record any more, as the tracker understands it: it is retired, which its people can undo."""
        try:
            headers = await self._held(id, version, None)
            values = {"id": id}
            # Without a document, an empty one at least, the tracker fails.
            await self.ask("DELETE", self.profile.one, values, doing="delete", record=id, headers=headers, document={})
        except Gone:
            return

    async def ask(
        self,
        method: str,
        path: str,
        values: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """The answer of a call that says from where it comes, as the tracker wants it against forged ones."""
        base = self.asking.client.url
        parts = urlsplit(base)
        from_where = {"origin": f"{parts.scheme}://{parts.netloc}", "referer": f"{base}/", "x-requested-with": "rest"}
        return await super().ask(method, path, values, headers={**from_where, **(headers or {})}, **options)

    async def _once(self, place: str) -> str:
        """The last part of the URL that this create has been given, or is given now."""
        known = await self._kept.get(place)
        if known is not None:
            return known.text
        answer = await self.ask("POST", f"{self.profile.path}/@poe", document={"lifetime": int(LIFE)})
        given = found_at(answer.document, "data/link")
        if not isinstance(given, str):
            raise Unclear(f"{self.profile.name}: the tracker gave no URL for a create")
        once = given.rpartition("/")[2]
        # Only a create that is long over may be forgotten: a key that is not known makes a new record.
        kept = await self._kept.put(place, once, version=0, until=self.asking.now() + 24 * LIFE)
        return once if kept is not None else await self._once(place)


@dataclass(frozen=True)
class RoundupRemote(HttpRemote):
    """One class of a tracker."""

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[HttpSession]:
        """A session; see `HttpRemote.open`."""
        client = await client_of(runtime, self.connection)
        asking = Asking(client, self.profile.outcomes, runtime.now)
        yield RoundupSession(self.profile, asking, runtime.store.values("connectors.roundup"))


_EMPTIED: Final = ("nosy", "messages")
_OUTCOMES: Final = Outcomes(
    signs=[
        Sign(Gone, status=(409,), at="error/msg", says="is retired"),
        Sign(Taken, status=(409,), at="error/msg", says="node with key"),
        Sign(Refused, status=(409,)),  # what else went wrong in its own programs
    ]
)


def _moment(text: Any) -> Any:
    """A time as it is written elsewhere; the tracker's has no zone, and is UTC."""
    return datetime.strptime(str(text), _STAMP).replace(tzinfo=UTC).isoformat()


def _written(text: Any) -> str:
    moment = datetime.fromisoformat(str(text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime(_STAMP)


def _seconds(text: Any) -> float:
    return datetime.strptime(str(text), _STAMP).replace(tzinfo=UTC).timestamp()


def _since(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(_STAMP) + ";"


def _name(found: Any) -> Any:
    """What people call what is linked to; its id, if it has no name."""
    row = cast("Mapping[str, Any]", found)
    return row.get("name") or row.get("username") or row.get("id")


def _names(found: Any) -> Any:
    return sorted(str(_name(row)) for row in cast("list[Any]", found))


def _ids(found: Any) -> Any:
    return [str(found_at(row, "id")) for row in cast("list[Any]", found)]


def _text(name: str, at: str = "", *, says: str = "") -> Field:
    """A text, of which an empty one is none to the tracker."""
    return Field(name, at, empty="", says=says)


def _link(name: str, at: str = "") -> Field:
    return Field(name, at, empty="", read=_name)


def _links(name: str, at: str = "") -> Field:
    return Field(name, at, read=_names)


_OWN: Final = (
    Field("created", "creation", read=_moment, writable=False),
    Field("created_by", "creator", read=_name, writable=False),
    Field("changed_by", "actor", read=_name, writable=False),
)


def _remote(
    name: str,
    kind: str,
    table: Sequence[Field],
    connection: str,
    finds: Mapping[str, Find],
    link: str | None,
    calls: Budget | None,
    *,
    verbose: int = 2,
    archive: Fields | None = None,
) -> HttpRemote:
    by_activity = FromActivity("activity", "activity", size_param="@page_size", size=_SIZE)
    properties = ",".join([*(field.place for field in table), "activity"])
    profile = Profile(
        name=f"roundup {name}",
        path=f"rest/data/{kind}",
        fields=table,
        abilities=Abilities(
            feed=Feed.STAMP,
            granularity=1.0,
            lag=1.0,
            creating=Creating.REFUSE,
            key_life=LIFE,
            external_key=link,
            findable=tuple(found for found in finds if found != link),
            compare_and_set=True,
            archive=archive,
            budget=calls,
            verified=SEEN,
        ),
        rows="data/collection",
        row="data",
        made="data",
        stamp="activity",
        stamp_of=_seconds,
        version=Etag("@etag", always=True),
        scan=by_activity,
        feed=Since("activity", by_activity, write=_since),
        query={"@fields": properties, "@verbose": verbose, "@sort": "activity,id"},
        bare={"@fields": "activity", "@verbose": 0},
        finds=finds,
        outcomes=_OUTCOMES,
        seen=SEEN,
    )
    return RoundupRemote(profile, connection)
