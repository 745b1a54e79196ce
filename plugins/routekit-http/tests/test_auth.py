"""Logging in: what is sent, when tokens are fetched, and what is kept of them."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import anyio
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from routekit import BadOption
from routekit_http import HttpUnavailable

pytestmark = pytest.mark.anyio


class Authority:
    """Gives tokens, and serves who has the current one."""

    def __init__(self, peer: Any, says: Any) -> None:
        self.says = says
        self.peer = peer
        self.given = 0
        self.forms: list[dict[str, str]] = []
        self.current = ""
        self.expires: Any = 3600
        self.failing: Any = None
        self.rotating = False
        peer.answer = self.answer

    async def answer(self, asked: Any) -> Any:
        if asked.path != "/token":
            right = asked.headers.get("authorization") == f"Bearer {self.current}"
            return self.says(200 if right else 401)
        self.forms.append({name: values[0] for name, values in parse_qs(asked.body.decode()).items()})
        await anyio.sleep(0.01)
        if self.failing is not None:
            return self.failing
        self.given += 1
        self.current = f"token-{self.given}"
        more = f', "refresh_token": "refresh-{self.given}"' if self.rotating else ""
        body = f'{{"access_token": "{self.current}", "expires_in": {self.expires}{more}}}'
        return self.says(200, body.encode(), {"content-type": "application/json"})


@pytest.fixture
def authority(peer: Any, says: Any) -> Authority:
    return Authority(peer, says)


@pytest.fixture
def crm(peer: Any, host: Any) -> Any:
    """`await crm({...})` is a sink with that login."""

    async def sink(**auth: Any) -> Any:
        host.tables["http", "crm"] = {"url": f"{peer.url}/v1", "auth": auth}
        return await host.sink("http:crm/x?method=get")

    return sink


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "basic", "user": "me", "password": "p:w"}, "authorization", "Basic bWU6cDp3"),
        ({"kind": "bearer", "token": "t"}, "authorization", "Bearer t"),
        ({"kind": "bearer", "token": "key:secret", "prefix": "token"}, "authorization", "token key:secret"),
        ({"kind": "api_key", "key": "k"}, "x-api-key", "k"),
        ({"kind": "api_key", "key": "k", "header": "X-Auth"}, "x-auth", "k"),
    ],
)
async def test_credentials_that_do_not_change(crm: Any, peer: Any, auth: Any, header: str, value: str) -> None:
    """One header."""
    send = await crm(**auth)
    await send()
    assert peer.last.headers[header] == value


async def test_a_key_in_the_query_is_in_no_error(crm: Any, peer: Any, says: Any) -> None:
    """It is added to the other parameters."""
    peer.answer = says(400)
    send = await crm(kind="api_key", key="s3cret", query="key")
    with pytest.raises(Exception, match=r"answered 400") as caught:
        await send(query={"a": "1"})
    assert peer.last.path == "/v1/x?a=1&key=s3cret"
    assert "s3cret" not in str(caught.value)


async def test_a_wrong_table_is_found_at_start(crm: Any) -> None:
    """With what there is."""
    with pytest.raises(BadOption, match=r"'auth'.*client_credentials"):
        await crm(kind="oauth")


def credentials(peer: Any, **more: Any) -> dict[str, Any]:
    return {
        "kind": "client_credentials",
        "token_url": f"{peer.url}/token",
        "client_id": "me",
        "client_secret": "s3cret",
        **more,
    }


async def test_a_token_is_fetched_once_for_all_who_wait(crm: Any, peer: Any, authority: Authority) -> None:
    """Twenty requests at once, one token."""
    send = await crm(**credentials(peer, scope="a b", extra={"audience": "x"}))
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(send)
    assert authority.forms == [
        {
            "grant_type": "client_credentials",
            "scope": "a b",
            "audience": "x",
            "client_id": "me",
            "client_secret": "s3cret",
        }
    ]


async def test_a_secret_in_a_basic_header(crm: Any, peer: Any, authority: Authority) -> None:
    """As the standard has it."""
    send = await crm(**credentials(peer, client_auth="basic", client_secret="a:b"))
    await send()
    token = next(asked for asked in peer.asked if asked.path == "/token")
    assert token.headers["authorization"] == "Basic bWU6YSUzQWI="
    assert "client_secret" not in authority.forms[0]


async def test_a_token_is_renewed_before_it_expires(crm: Any, host: Any, peer: Any, authority: Authority) -> None:
    """By what `expires_in` says, and not by being refused."""
    clock = [1000.0]
    host.now = lambda: clock[0]
    authority.expires = 100
    send = await crm(**credentials(peer))
    await send()
    clock[0] += 79
    await send()
    assert authority.given == 1
    clock[0] += 12
    await send()
    assert authority.given == 2
    assert [asked.path for asked in peer.asked].count("/v1/x") == 3, "nothing was refused"


async def test_a_token_that_still_holds_is_used_when_there_is_no_other(
    crm: Any, host: Any, peer: Any, authority: Authority, says: Any
) -> None:
    """Until it has expired."""
    clock = [1000.0]
    host.now = lambda: clock[0]
    authority.expires = 100
    send = await crm(**credentials(peer))
    await send()
    authority.failing = says(503)
    clock[0] += 94
    await send()
    clock[0] += 6
    with pytest.raises(HttpUnavailable, match=r"\[http.crm\] auth: no token was given: 503"):
        await send()


async def test_a_token_that_is_refused_is_replaced_once(crm: Any, peer: Any, authority: Authority) -> None:
    """Twenty requests whose token was taken back: one new one, and each is sent again with it."""
    send = await crm(**credentials(peer))
    await send()
    authority.current = "revoked"
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(send)
    assert authority.given == 2


async def test_a_token_that_is_refused_again_is_an_error(crm: Any, peer: Any, says: Any) -> None:
    """It is not asked for without end."""
    peer.answer = lambda asked: says(200, b'{"access_token": "t"}') if asked.path == "/token" else says(401)
    send = await crm(**credentials(peer))
    with pytest.raises(HttpUnavailable, match=r"answered 401"):
        await send()
    assert [asked.path for asked in peer.asked] == ["/token", "/v1/x", "/token", "/v1/x"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"error": "invalid_client"}', b"<html>"])
async def test_no_token_is_given(crm: Any, peer: Any, authority: Authority, says: Any, body: bytes) -> None:
    """The message may be tried again when the credentials are right; no secret is shown."""
    authority.failing = says(400, body)
    send = await crm(**credentials(peer))
    with pytest.raises(HttpUnavailable, match=r"no token was given: 400") as caught:
        await send()
    assert caught.value.sent is False
    assert "s3cret" not in str(caught.value)


async def test_an_assertion_is_signed(crm: Any, peer: Any, authority: Authority, tmp_path: Path) -> None:
    """With the claims of the settings, for a short time, and with room for a clock that is ahead."""
    key = RSAKey.generate_key(2048)
    file = tmp_path / "key.pem"
    file.write_bytes(key.as_pem(private=True))
    send = await crm(
        kind="jwt_bearer", token_url=f"{peer.url}/token", issuer="me", subject="user@x", key=str(file), key_id="k1"
    )
    await send()
    token = jwt.decode(authority.forms[0]["assertion"], key, algorithms=["RS256"])
    assert token.header == {"alg": "RS256", "kid": "k1", "typ": "JWT"}
    claims = token.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("me", "user@x", f"{peer.url}/token")
    assert claims["exp"] - claims["iat"] == 190
    assert authority.forms[0]["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"


def refreshing(peer: Any, **more: Any) -> dict[str, Any]:
    return {
        "kind": "refresh_token",
        "token_url": f"{peer.url}/token",
        "client_id": "me",
        "refresh_token": "first",
        "store_key": "a secret of sixteen",
        **more,
    }


async def test_a_rotated_refresh_token_is_kept_before_it_is_used(
    crm: Any, host: Any, peer: Any, authority: Authority, host_of: Any
) -> None:
    """After a restart the newest one counts; in the store there is nothing to read."""
    authority.rotating = True
    send = await crm(**refreshing(peer))
    await send()
    kept = dict(await host.store.values("http-tokens").items())
    assert "refresh-1" not in str(kept)
    assert "token-1" not in str(kept)
    again = host_of()
    again.store, again.tables = host.store, host.tables
    async with again.stack:
        other = await again.sink("http:crm/x?method=get")
        await other()
        assert authority.given == 1, "the token of the first holds"
        authority.current = "revoked"
        await other()
    assert [form["refresh_token"] for form in authority.forms] == ["first", "refresh-1"]


async def test_processes_that_share_a_store_fetch_one_token(
    crm: Any, host: Any, peer: Any, authority: Authority, host_of: Any, tmp_path: Path
) -> None:
    """Whose refresh token counts once: a second process that used it would end the grant."""
    authority.rotating = True
    await crm(**refreshing(peer))
    async with (
        anyio.create_task_group() as tasks,
        host.catalog.open_store(f"sqlite:{tmp_path}/state.db", host.now) as second_store,
    ):
        others = [host_of() for _ in range(2)]
        async with others[0].stack, others[1].stack:
            for other, store in zip(others, (host.store, second_store), strict=True):
                other.store, other.tables = store, host.tables
                send = await other.sink("http:crm/x?method=get")
                for _ in range(5):
                    tasks.start_soon(send)
            while len([asked for asked in peer.asked if asked.path == "/v1/x"]) < 10:
                await anyio.sleep(0.01)
            await anyio.sleep(0.05)
    assert authority.given == 1


async def test_a_new_grant_begins_anew(crm: Any, host: Any, peer: Any, authority: Authority) -> None:
    """Another refresh token in the settings counts, and not the one that is kept."""
    send = await crm(**refreshing(peer))
    await send()
    host.open.clear()
    send = await crm(**refreshing(peer, refresh_token="second"))
    await send()
    assert [form["refresh_token"] for form in authority.forms] == ["first", "second"]


async def test_a_grant_that_has_ended_says_what_to_do(crm: Any, peer: Any, authority: Authority, says: Any) -> None:
    """The user has to be asked."""
    authority.failing = says(400, b'{"error": "invalid_grant"}')
    send = await crm(**refreshing(peer))
    with pytest.raises(HttpUnavailable, match=r"let the user grant it anew"):
        await send()
