"""Who may call: signatures of webhooks, and tokens."""

import json
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from hmac import new as hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import ValidationError

from routekit import BadOption, RouteDegraded, from_
from routekit.testing import Sink
from routekit_http.server.signatures import Received, SignatureSettings, Verifier

BODY = b'{"event": "\xc3\xbc"}'
NOW = 1_800_000_000


def mac(secret: str | bytes, content: bytes) -> Any:
    return hmac(secret.encode() if isinstance(secret, str) else secret, content, sha256)


def signed(scheme: str, secret: str = "s3cret", now: float = NOW, body: bytes = BODY) -> dict[str, str]:
    """The headers of a request, by each scheme's own documentation."""
    stamp = str(int(now))
    if scheme == "stripe":
        return {"stripe-signature": f"t={stamp},v0=old,v1={mac(secret, stamp.encode() + b'.' + body).hexdigest()}"}
    if scheme == "bottlecrm":
        return {"x-bottlecrm-signature": f"t={stamp},v1={mac(secret, stamp.encode() + b'.' + body).hexdigest()}"}
    if scheme in ("hubspot_v1", "hubspot_v2"):
        asked = b"POSThttps://hooks.example/crm?a=1" if scheme == "hubspot_v2" else b""
        return {"x-hubspot-signature": sha256(secret.encode() + asked + body).hexdigest()}
    if scheme == "shopify":
        return {"x-shopify-hmac-sha256": b64encode(mac(secret, body).digest()).decode()}
    if scheme == "github":
        return {"x-hub-signature-256": f"sha256={mac(secret, body).hexdigest()}"}
    if scheme == "hubspot":
        content = b"POSThttps://hooks.example/crm?a=1" + body + f"{stamp}000".encode()
        return {
            "x-hubspot-request-timestamp": f"{stamp}000",
            "x-hubspot-signature-v3": b64encode(mac(secret, content).digest()).decode(),
        }
    if scheme == "zendesk":
        from datetime import UTC, datetime

        text = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "x-zendesk-webhook-signature-timestamp": text,
            "x-zendesk-webhook-signature": b64encode(mac(secret, text.encode() + body).digest()).decode(),
        }
    if scheme == "frappe":
        return {"x-frappe-webhook-signature": b64encode(mac(secret, body).digest()).decode()}
    assert scheme == "standard"
    content = b"msg_1." + stamp.encode() + b"." + body
    signature = b64encode(mac(secret, content).digest()).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1a,other v1,{signature}"}


TIMED = ["stripe", "bottlecrm", "hubspot", "zendesk", "standard"]
SCHEMES = [*TIMED, "shopify", "github", "hubspot_v1", "hubspot_v2", "frappe"]


def verifier(scheme: str, *secrets: str, **more: Any) -> Verifier:
    given_ = secrets or ("s3cret",)
    if scheme == "standard":
        given_ = tuple("whsec_" + b64encode(secret.encode()).decode() for secret in given_)
    if scheme in ("hubspot", "hubspot_v2"):
        more = {"public_url": "https://hooks.example", **more}
    return Verifier(SignatureSettings.model_validate({"scheme": scheme, "secrets": given_, **more}))


def received(headers: dict[str, str], body: bytes = BODY) -> Received:
    return Received("POST", "http://10.0.0.1:8080/crm?a=1", headers, {}, body)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_right_signature(scheme: str) -> None:
    """Is taken, also by the older of two secrets."""
    assert verifier(scheme).proof(received(signed(scheme)), NOW)
    assert verifier(scheme, "new", "s3cret").proof(received(signed(scheme)), NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wrong_one(scheme: str) -> None:
    """Another secret, another body, another or no signature."""
    headers = signed(scheme)
    wrong = [
        (verifier(scheme, "other"), received(headers)),
        (verifier(scheme), received(headers, BODY + b" ")),
        (verifier(scheme), received({})),
        (verifier(scheme), received(dict.fromkeys(headers, ""))),
        (verifier(scheme), received({name: value[:-2] + "xx" for name, value in headers.items()})),
        (verifier(scheme), received(dict.fromkeys(headers, "ü" * 9))),
    ]
    for each, what in wrong:
        assert each.proof(what, NOW) is None


@pytest.mark.parametrize("scheme", TIMED)
def test_a_signature_has_its_time(scheme: str) -> None:
    """Five minutes to both sides, unless the table says otherwise."""
    what = received(signed(scheme))
    assert verifier(scheme).proof(what, NOW + 299)
    assert verifier(scheme).proof(what, NOW - 299)
    assert verifier(scheme).proof(what, NOW + 301) is None
    assert verifier(scheme).proof(what, NOW - 301) is None
    assert verifier(scheme, tolerance="10s").proof(what, NOW + 11) is None


@pytest.mark.parametrize("stamp", ["", "soon", "nan", "inf", "1e999", "-1", "2027-01-15"])
def test_times_that_are_none(stamp: str) -> None:
    """Are no reason to believe a signature."""
    headers = {"stripe-signature": f"t={stamp},v1={mac('s3cret', stamp.encode() + b'.' + BODY).hexdigest()}"}
    assert verifier("stripe").proof(received(headers), NOW) is None


def test_known_vectors() -> None:
    """Of GitHub's and Standard Webhooks' documentation."""
    github = verifier("github", "It's a Secret to Everybody")
    right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert github.proof(received({"x-hub-signature-256": right}, b"Hello, World!"), NOW)
    settings = {"scheme": "standard", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    standard = Verifier(SignatureSettings.model_validate(settings))
    assert standard.proof(received(headers, b'{"test": 2432232314}'), 1614265330)


def test_a_scheme_of_ones_own() -> None:
    """As data: what is signed, how it is written, and where it is."""
    headers = {
        "x-time": str(NOW),
        "x-sign": "v=" + b64encode(mac("s3cret", f"{NOW}:".encode() + BODY).digest()).decode(),
    }
    own = {
        "header": "X-Sign",
        "signed": "{timestamp}:{body}",
        "encoding": "base64",
        "prefix": "v=",
        "timestamp": "X-Time",
    }
    assert verifier("hmac", **own).proof(received(headers), NOW)
    assert verifier("hmac", **own).proof(received(headers), NOW + 400) is None
    assert verifier("stripe", header="X-Other").proof(received({"x-other": signed("stripe")["stripe-signature"]}), NOW)


def test_tokens_and_passwords() -> None:
    """For those who do not sign."""
    token = verifier("token", "one", "two", header="X-Token")
    assert token.proof(received({"x-token": "two"}), NOW)
    assert token.proof(received({"x-token": "three"}), NOW) is None
    assert token.proof(received({}), NOW) is None
    query = verifier("token", "one", query="key")
    assert query.proof(Received("POST", "", {}, {"key": "one"}, b""), NOW)
    assert query.proof(Received("POST", "", {}, {"key": ["one", "x"]}, b""), NOW) is None
    basic = verifier("basic", "me:pw")
    assert basic.proof(received({"authorization": "Basic bWU6cHc="}), NOW)
    assert basic.proof(received({"authorization": "Basic bWU6cHg="}), NOW) is None


@pytest.mark.parametrize(
    "table",
    [
        {"scheme": "stripe", "secrets": []},
        {"scheme": "hmac", "secrets": ["a"]},
        {"scheme": "hmac", "secrets": ["a"], "header": "x", "signed": "{timestamp}{body}"},
        {"scheme": "strpe", "secrets": ["a"]},
    ],
)
def test_tables_that_are_wrong(table: dict[str, Any]) -> None:
    """Are refused."""
    with pytest.raises(ValidationError):
        SignatureSettings.model_validate(table)


@given(body=st.binary(max_size=200), flip=st.integers(min_value=0))
def test_no_other_body_has_the_same_signature(body: bytes, flip: int) -> None:
    """Whatever the bytes are, they are signed as they are."""
    headers = signed("stripe", body=body)
    assert verifier("stripe").proof(received(headers, body), NOW)
    changed = bytearray(body or b"x")
    changed[flip % len(changed)] ^= 1
    assert verifier("stripe").proof(received(headers, bytes(changed)), NOW) is None


class TestServed:
    """Over a socket."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def tables(self) -> dict[Any, Any]:
        return {("http_signature", "shop"): {"scheme": "stripe", "secrets": ["s3cret"]}}

    async def test_only_what_is_signed_comes_in(self, at: Any, serve_routes: Any, tables: Any) -> None:
        """Others hear 401 and nothing else; a signature that was served does nothing twice."""
        out = Sink()
        flow = from_(at("/hook", "signature=shop&status=202&reply=none"), bytes).to(out)
        async with serve_routes(flow, tables=tables, now=lambda: float(NOW)) as site:
            good = signed("stripe")
            statuses = [
                (await site.call("POST", "/hook", content=body, headers=headers)).status_code
                for body, headers in [
                    (BODY, {}),
                    (b"x", good),
                    (BODY, good),
                    (BODY, good),
                    (BODY, signed("stripe", now=NOW + 1)),
                ]
            ]
            refused = await site.call("POST", "/hook", content=b"x")
        assert statuses == [401, 401, 202, 202, 202]
        assert refused.json() == {"type": "about:blank", "title": "Unauthorized", "status": 401}
        assert out.bodies == [BODY, BODY], "the second of the same signature was not handled again"

    async def test_a_delivery_that_is_sent_again_is_served_once(self, at: Any, serve_routes: Any) -> None:
        """By its name, also where the signature has no time, or another one; a delivery without a name comes twice."""
        out = Sink()
        github = {"scheme": "github", "secrets": ["s3cret"]}
        standard = {"scheme": "standard", "secrets": ["whsec_" + b64encode(b"s3cret").decode()]}
        tables = {("http_signature", "hub"): github, ("http_signature", "new"): standard}
        flows = [from_(at(f"/{name}", f"signature={name}"), bytes).to(out) for name in ("hub", "new")]
        async with serve_routes(*flows, tables=tables, now=lambda: float(NOW)) as site:
            calls = [
                ("/hub", signed("github") | {"x-github-delivery": "one"}),
                ("/hub", signed("github") | {"x-github-delivery": "one"}),
                ("/hub", signed("github") | {"x-github-delivery": "two"}),
                ("/hub", signed("github")),
                ("/hub", signed("github")),
                ("/new", signed("standard")),
                ("/new", signed("standard", now=NOW + 60)),
            ]
            for path, headers in calls:
                assert (await site.call("POST", path, content=BODY, headers=headers)).status_code in (200, 204)
        assert len(out.bodies) == 5

    async def test_who_asks_whether_somebody_listens_gets_his_word_back(self, at: Any, serve_routes: Any) -> None:
        """As text that no browser takes for a page, and nothing is handled; without it, 401 as ever."""
        out = Sink()
        table = {"scheme": "stripe", "secrets": ["s3cret"], "challenge": "hub.challenge"}
        flow = from_(at("/hook", "signature=shop&method=GET,POST"), bytes).to(out)
        async with serve_routes(flow, tables={("http_signature", "shop"): table}, now=lambda: float(NOW)) as site:
            said = await site.call("GET", "/hook?hub.challenge=<b>4711</b>")
            other = await site.call("GET", "/hook?other=4711")
        assert (said.status_code, said.text) == (200, "<b>4711</b>")
        assert said.headers["content-type"].startswith("text/plain")
        assert said.headers["x-content-type-options"] == "nosniff"
        assert other.status_code == 401
        assert out.bodies == []

    async def test_what_failed_may_come_again(self, at: Any, serve_routes: Any, tables: Any) -> None:
        """Only what is done is known by its signature."""
        out = Sink(fail={1: ValueError("no")})
        flow = from_(at("/hook", "signature=shop"), bytes).to(out)
        async with serve_routes(flow, tables=tables, now=lambda: float(NOW)) as site:
            found = [
                (await site.call("POST", "/hook", content=BODY, headers=signed("stripe"))).status_code for _ in range(2)
            ]
        assert found == [500, 200]

    async def test_a_table_that_is_missing(self, at: Any, setup_with: Any) -> None:
        """Is told when the route starts."""
        import anyio

        from routekit.testing import Run, running, setup_for

        run = Run()
        async with running(from_(at("/x", "signature=shop")), setup=setup_for(run)):
            while not run.of(RouteDegraded):
                await anyio.sleep(0.001)
        assert "[http_signature.shop] is not in routekit.toml" in str(run.of(RouteDegraded)[0].error)


class TestTokens:
    """JSON Web Tokens."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def clock(self) -> list[float]:
        return [float(NOW)]

    @pytest.fixture
    def site(self, at: Any, serve_routes: Any, clock: list[float]) -> Any:
        def served(table: dict[str, Any]) -> Any:
            out = Sink()
            flow = (
                from_(at("/x", "jwt=api&method=get"))
                .to(out)
                .transform(lambda body, message: message.headers["http.claims"])
            )
            tables = {("http_jwt", "api"): {"issuer": "https://id", "audience": "crm", **table}}
            return serve_routes(flow, tables=tables, now=lambda: clock[0])

        return served

    def claims(self, **changes: Any) -> dict[str, Any]:
        return {"iss": "https://id", "aud": "crm", "exp": NOW + 60, "sub": "me", **changes}

    async def asked(self, site: Any, token: str | None) -> Any:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return await site.call("GET", "/x", headers=headers)

    async def test_keys_of_the_issuer(self, site: Any, peer: Any, says: Any, clock: list[float]) -> None:
        """Are fetched once, and again for a key that is not among them, but not all the time."""
        keys = {name: RSAKey.generate_key(2048, {"kid": name}) for name in ("a", "b")}
        published = ["a"]

        def answer(asked: Any) -> Any:
            return says(200, json.dumps({"keys": [keys[name].as_dict(private=False) for name in published]}).encode())

        peer.answer = answer

        def token(name: str) -> str:
            return jwt.encode({"alg": "RS256", "kid": name}, self.claims(), keys[name])

        async with site({"jwks_url": f"{peer.url}/keys"}) as running:
            first = await self.asked(running, token("a"))
            assert (first.status_code, first.json()["sub"]) == (200, "me")
            assert (await self.asked(running, token("a"))).status_code == 200
            assert len(peer.asked) == 1
            published.append("b")
            clock[0] += 10
            assert (await self.asked(running, token("b"))).status_code == 401, "it was looked for just now"
            assert len(peer.asked) == 1
            clock[0] += 51
            keys_claims = self.claims(exp=NOW + 1000)
            late = jwt.encode({"alg": "RS256", "kid": "b"}, keys_claims, keys["b"])
            assert (await self.asked(running, late)).status_code == 200
            assert len(peer.asked) == 2
            peer.answer = says(500)
            clock[0] += 3700
            newer = jwt.encode({"alg": "RS256", "kid": "b"}, self.claims(exp=NOW + 9000), keys["b"])
            assert (await self.asked(running, newer)).status_code == 200, "those that there are hold for a while"

    async def test_an_issuer_that_is_away(self, site: Any, peer: Any, says: Any) -> None:
        """Is nobody's fault: 503."""
        peer.answer = says(500)
        key = RSAKey.generate_key(2048)
        async with site({"jwks_url": f"{peer.url}/keys"}) as running:
            assert (await self.asked(running, jwt.encode({"alg": "RS256"}, self.claims(), key))).status_code == 503

    async def test_tokens_that_do_not_count(self, site: Any, tmp_path: Any) -> None:
        """No signature, another key, another algorithm, another issuer, another time."""
        key, other = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
        public = tmp_path / "key.pem"
        public.write_bytes(key.as_pem(private=False))
        parts = ({"alg": "HS256", "typ": "JWT"}, self.claims())
        text = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        mark = urlsafe_b64encode(mac(public.read_bytes(), text.encode()).digest()).decode().rstrip("=")
        none = ".".join(
            b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, self.claims())
        )
        wrong = {
            "none": none + ".",
            "other key": jwt.encode({"alg": "RS256"}, self.claims(), other),
            "confused": f"{text}.{mark}",
            "other algorithm": jwt.encode({"alg": "PS256"}, self.claims(), key, algorithms=["PS256"]),
            "curve": jwt.encode({"alg": "ES256"}, self.claims(), ECKey.generate_key("P-256")),
            "issuer": jwt.encode({"alg": "RS256"}, self.claims(iss="https://evil"), key),
            "audience": jwt.encode({"alg": "RS256"}, self.claims(aud=["other"]), key),
            "expired": jwt.encode({"alg": "RS256"}, self.claims(exp=NOW - 31), key),
            "future": jwt.encode({"alg": "RS256"}, self.claims(nbf=NOW + 31), key),
            "endless": jwt.encode({"alg": "RS256"}, {"iss": "https://id", "aud": "crm"}, key),
            "text": "a.b.c",
            "empty": ".",
        }
        async with site({"key": str(public)}) as running:
            for name, token in wrong.items():
                answer = await self.asked(running, token)
                assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer"), name
                assert "detail" not in answer.json()
            assert (await self.asked(running, None)).headers["www-authenticate"] == "Bearer"
            good = jwt.encode({"alg": "RS256"}, self.claims(aud=["other", "crm"], exp=NOW - 29), key)
            assert (await self.asked(running, good)).status_code == 200

    async def test_scopes(self, site: Any) -> None:
        """A token without them is one, but not for this."""
        secret = "x" * 32
        key = OctKey.import_key(secret)
        table = {"secret": secret, "algorithms": ["HS256"], "scope": "leads:write leads:read"}
        async with site(table) as running:
            found = [
                (await self.asked(running, jwt.encode({"alg": "HS256"}, self.claims(**more), key))).status_code
                for more in (
                    {},
                    {"scope": "leads:read"},
                    {"scope": "a leads:read leads:write"},
                    {"scp": ["leads:read", "leads:write"]},
                )
            ]
        assert found == [403, 403, 200, 200]

    @pytest.mark.parametrize(
        "table",
        [
            {},
            {"secret": "short", "algorithms": ["HS256"]},
            {"secret": "x" * 32},
            {"jwks_url": "https://id/keys", "algorithms": ["RS256", "HS256"]},
            {"jwks_url": "https://id/keys", "leeway": 61},
        ],
    )
    def test_tables_that_are_not_safe(self, table: dict[str, Any], host_of: Any) -> None:
        """Are refused."""
        from routekit_http.server.bearers import JwtSettings
        from routekit_http.settings import checked

        with pytest.raises(BadOption):
            checked({"issuer": "a", "audience": "b", **table}, JwtSettings, "[http_jwt.api]")
