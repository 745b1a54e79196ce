"""What Tryton's answers mean, without a server: errors with status 200, and logins that are not let in."""

from typing import Any

import pytest

from routekit.remotes import Busy, Forbidden, Gone, Refused, RemoteError, Stale, Taken, Unclear, Unsent
from routekit_connectors import tryton

pytestmark = pytest.mark.anyio


def user_error(text: str) -> list[Any]:
    return ["UserError", [text, "", None]]


ERRORS: list[tuple[list[Any], type[RemoteError]]] = [
    (["ConcurrencyException", "Records were modified in the meanwhile"], Stale),
    (["LoginException", ["password", "Password", "password"]], Forbidden),
    (user_error('You are trying to read records "9" of "Party" that don\'t exist.'), Gone),
    (user_error("The code on party must be unique."), Taken),
    (user_error('You are not allowed to access "Party".'), Forbidden),
    (
        user_error('You are not allowed to read records "7" of "Party" because of at least one of these rules:'),
        Forbidden,
    ),
    (user_error('You are not allowed to modify the field "Name" in record "n" of "Party".'), Refused),
    (user_error('A value is required for field "Party" in record "x" of "Party Address".'), Refused),
    (["UserWarning", ["name", "This is unusual.", ""]], Refused),
    (["database is locked", ""], Unsent),
    (["could not serialize access due to concurrent update", ""], Unsent),
    (["'nofield'", ""], Refused),
]


@pytest.fixture
def server(peer: Any, host: Any, says: Any) -> Any:
    """A server that lets everybody in, and answers as a test wants."""
    host.tables["http", "erp"] = {"url": f"{peer.url}/db", "auth": {"kind": "basic", "user": "ada", "password": "pw-1"}}
    peer.login = says(200, {"id": 0, "result": [1, "token", None]})
    peer.rest = says(200, {"id": 1, "result": []})
    peer.answer = lambda asked: peer.login if asked.document["method"] == "common.db.login" else peer.rest
    return peer


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=lambda one: str(one[1])[:40] if isinstance(one, list) else "")
async def test_an_error_with_status_200_is_what_it_says(
    server: Any, host: Any, says: Any, error: list[Any], kind: type[RemoteError]
) -> None:
    """Each kind of error of Tryton becomes exactly one failure; what it does not explain is refused."""
    server.rest = says(200, {"id": 1, "error": error})
    async with tryton.parties("erp").open(host) as session:
        with pytest.raises(RemoteError) as raised:
            await session.scan()
    assert type(raised.value) is kind


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (500, Unclear), (504, Unclear), (429, Busy)])
async def test_other_statuses_mean_what_http_says(
    server: Any, host: Any, says: Any, status: int, kind: type[RemoteError]
) -> None:
    """Also where the body is a page of HTML."""
    server.rest = says(status, body=b"<html>no</html>")
    async with tryton.parties("erp").open(host) as session:
        with pytest.raises(RemoteError) as raised:
            await session.scan()
    assert type(raised.value) is kind


async def test_a_page_instead_of_json_is_no_success(server: Any, host: Any, says: Any) -> None:
    """A proxy that answers 200 with a page of its own: nobody knows what became of the call."""
    server.rest = says(200, body=b"<html>sign in</html>")
    async with tryton.parties("erp").open(host) as session:
        with pytest.raises(Unclear, match="no JSON"):
            await session.create({"name": "Ada", "code": "1"}, key="k")


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (401, {}, Forbidden),
        (429, {"retry-after": "9"}, Busy),
        (
            429,
            {"retry-after": "Sat, 21 Nov 2026 12:00:09 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"},
            Busy,
        ),
        (404, {}, Unsent),
        (500, {}, Unsent),
    ],
)
async def test_a_login_that_fails_has_done_nothing(
    server: Any, host: Any, says: Any, status: int, headers: dict[str, str], kind: type[RemoteError]
) -> None:
    """The call that needed it was not sent, and the password is in no text."""
    server.login = says(status, body=b"<html>no</html>", headers=headers)
    async with tryton.parties("erp").open(host) as session:
        with pytest.raises(RemoteError) as raised:
            await session.create({"name": "Ada", "code": "1"}, key="k")
    assert type(raised.value) is kind
    assert "pw-1" not in f"{raised.value}{raised.value.__cause__!r}"
    assert [asked.document["method"] for asked in server.asked] == ["common.db.login"]
    if isinstance(raised.value, Busy):
        assert raised.value.after == 9.0


async def test_the_call_is_the_one_that_tryton_knows(server: Any, host: Any) -> None:
    """The path, the session, the three keys without which errors come in another form, and messages in English."""
    async with tryton.parties("erp").open(host) as session:
        await session.scan()
    assert server.last.path == "/db/rpc/"
    assert server.last.headers["authorization"] == "Session YWRhOjE6dG9rZW4="
    assert set(server.last.document) == {"id", "method", "params"}
    assert server.last.document["params"][-1] == {"language": "en", "active_test": False}
