"""The client for other plugins: answers as they are, and logins of an API's own."""

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from routekit import BadOption, UnknownName
from routekit_http import Entrance, HttpRejected, HttpUnavailable, client_of

pytestmark = pytest.mark.anyio


def basic(url: str) -> dict[str, Any]:
    return {"url": url, "auth": {"kind": "basic", "user": "ada", "password": "s3cret"}}


async def entering(entrance: Entrance) -> Mapping[str, str]:
    """Log in by a document, as many an API wants it."""
    answer = await entrance.post("/login", {"user": entrance.user, "password": entrance.password.get_secret_value()})
    return {"authorization": f"Session {answer.json()['session']}"}


async def test_every_status_is_an_answer(peer: Any, says: Any, host: Any) -> None:
    """404, 409 and 500 come back as they are, with their headers and body."""
    host.tables["http", "crm"] = {"url": f"{peer.url}/v1"}
    client = await client_of(host, "crm")
    for status in (200, 404, 409, 500):
        peer.answer = says(status, b'{"why": 1}', {"etag": '"7"'})
        answer = await client.ask("get", "contacts/{id}/", {"id": "a/b"}, query={"x": 1})
        assert (answer.status, answer.body, answer.headers["etag"]) == (status, b'{"why": 1}', '"7"')
    assert peer.last.path == "/v1/contacts/a%2Fb/?x=1"


async def test_a_body_is_sent_with_its_type(peer: Any, host: Any) -> None:
    """A POST carries the bytes and says that they are JSON."""
    host.tables["http", "crm"] = {"url": peer.url}
    await (await client_of(host, "crm")).ask("post", "contacts", body=b'{"name": "Ada"}')
    assert (peer.last.method, peer.last.body) == ("POST", b'{"name": "Ada"}')
    assert peer.last.headers["content-type"] == "application/json"


async def test_without_an_answer_it_says_whether_the_request_was_sent(peer: Any, host: Any, free_port: int) -> None:
    """A connection that breaks may have carried it; one that was never made has not."""
    host.tables["http", "crm"] = {"url": peer.url}
    host.tables["http", "off"] = {"url": f"http://127.0.0.1:{free_port}"}
    peer.answer = lambda asked: None
    with pytest.raises(HttpUnavailable) as broken:
        await (await client_of(host, "crm")).ask("post", "contacts", body=b"{}")
    with pytest.raises(HttpUnavailable) as refused:
        await (await client_of(host, "off")).ask("post", "contacts", body=b"{}")
    assert (broken.value.sent, refused.value.sent) == (True, False)


async def test_a_url_from_data_leads_into_no_private_network(peer: Any, host: Any, serve: Any) -> None:
    """A next page elsewhere on the machine is refused; one of the connection's own origin is asked, with its login."""
    host.tables["http", "crm"] = basic(peer.url)
    client = await client_of(host, "crm")
    async with serve() as other:
        with pytest.raises(HttpRejected, match="not a public address"):
            await client.ask("get", url=f"{other.url}/next")
        assert other.asked == []
    await client.ask("get", url=f"{peer.url}/next?page=2")
    assert peer.last.path == "/next?page=2"
    assert "authorization" in peer.last.headers


class Sessions:
    """An API that gives sessions, each of which can end."""

    def __init__(self, says: Any) -> None:
        self.says, self.logins, self.holds = says, 0, ""

    async def answer(self, asked: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        if asked.path == "/login":
            self.logins += 1
            self.holds = f"Session {self.logins}"
            return self.says(200, b'{"session": "%d"}' % self.logins)
        return self.says(200 if asked.headers.get("authorization") == self.holds else 401)


async def test_a_login_is_done_once_for_all_who_wait(peer: Any, says: Any, host: Any) -> None:
    """Many requests at once share one session, and one new one when it has ended; the password goes nowhere else."""
    api = Sessions(says)
    peer.answer = api.answer
    host.tables["http", "erp"] = basic(peer.url)
    client = await client_of(host, "erp", entering)

    async def ask() -> None:
        assert (await client.ask("get", "x")).status == 200

    for expected in (1, 2):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
        assert api.logins == expected
        api.holds = "ended"
    assert b"s3cret" not in b"".join(asked.body for asked in peer.asked if asked.path != "/login")
    assert "s3cret" not in repr(client)


async def test_a_login_needs_the_user_and_password(peer: Any, host: Any) -> None:
    """Without a connection, or one without basic auth, it says what is to be written."""
    host.tables["http", "erp"] = {"url": peer.url}
    with pytest.raises(UnknownName, match=r"\[http.nowhere\]"):
        await client_of(host, "nowhere")
    with pytest.raises(BadOption, match="kind basic"):
        await client_of(host, "erp", entering)
