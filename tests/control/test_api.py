"""The control API: its document, what it answers, and who may ask."""

from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from routekit import Flow, Message, Policy, Rejected, Sensitive, from_
from routekit.access import Access
from routekit.testing import Sink

from ..fakes import Watched
from .asked import Asked, asked_of

pytestmark = pytest.mark.anyio

TOKEN, READER = "0123456789abcdef", "fedcba9876543210"

GUARDED = Access.model_validate({"listen": "0.0.0.0:7180", "token": TOKEN, "reader_token": READER, "rate": 10_000})


def shop() -> dict[str, Flow[Any]]:
    """Routes with one of each kind of thing."""

    def picky(n: int) -> int:
        if n < 3:
            raise Rejected("no")
        return n

    ill = from_(Watched([1, 2]), int, policy=Policy(dead_letter="store"))
    return {
        "shop.orders": from_(Watched([1, 2, 3]), int).aggregate("sums", int, key=lambda n: "k", size=9).to(Sink()),
        "shop.erp": from_(Watched(), int).circuit_breaker(lambda flow: flow.to(Sink()), name="erp/main"),
        "shop.ill": ill.transform(picky).to("log:ill"),
    }


async def test_the_document_is_openapi_and_names_every_path() -> None:
    """It holds to OpenAPI 3.1, and each path of it answers."""
    async with asked_of(**shop()) as asked:
        document = (await asked.get("/api/openapi.json")).json
        OpenAPIV31SpecValidator(document).validate()
        assert document["info"]["version"] == "1.2"
        for path, methods in document["paths"].items():
            if "get" in methods and "{" not in path and path != "/metrics":
                answer = await asked.get(path)
                assert (path, answer.status) == (path, 200)
        operations = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
        assert len(operations) == len(set(operations))


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/about", {"version", "pid", "started", "routes", "store", "profile", "workers", "leader"}),
        ("/api/routes/shop.orders", {"route", "steps", "promises", "failures", "drawing", "doc", "code", "place"}),
        ("/api/letters?route=shop.ill&limit=1", {"letters", "count"}),
        ("/health", {"ready", "parts"}),
        ("/health/live", {"live"}),
        ("/health/ready", {"ready", "waits"}),
    ],
)
async def test_single_things_are_answered_as_objects(path: str, names: set[str]) -> None:
    """With the names of their sights."""
    async with asked_of(**shop()) as asked:
        await anyio.sleep(5)
        answer = await asked.get(path)
        assert (answer.status, names - set(answer.json)) == (200, set())
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_what_is_wrong_is_told_with_a_hint() -> None:
    """The status says what kind of thing it is, the body what was found and what to do."""
    async with asked_of(**shop()) as asked:
        for method, path, body, status, error, hint in (
            (
                "GET",
                "/api/routes/shop.order",
                None,
                404,
                "there is no route 'shop.order'",
                "did you mean 'shop.orders'?",
            ),
            ("GET", "/api/rutes", None, 404, "there is no /api/rutes", "did you mean '/api/routes'?"),
            ("POST", "/api/routes", {}, 405, "/api/routes is not asked by POST", ""),
            (
                "GET",
                "/api/audit?limit=x",
                None,
                400,
                "'limit': input should be a valid integer",
                "see /api/openapi.json",
            ),
            ("GET", "/api/audit?limits=1", None, 400, "there is no 'limits' to be said here", "did you mean 'limit'?"),
            ("POST", "/api/routes/shop.orders/concurrency", {"value": 0}, 400, "'value': input should be", "see"),
            ("POST", "/api/routes/shop.orders/concurrency", [1], 400, "the body is no JSON object", "write"),
            ("POST", "/api/reload", {}, 409, "this daemon cannot reload", "restart it"),
            ("POST", "/api/letters/replay", {}, 400, "which letters?", "say it"),
            ("GET", "/api/letters/nobody", None, 404, "there is no letter 'nobody'", "see"),
            ("GET", "/metrics", None, 404, "this daemon counts nothing", ""),
        ):
            answer = await (asked.get(path) if method == "GET" else asked.post(path, body))
            told = answer.json
            assert (path, answer.status) == (path, status)
            assert told["error"].startswith(error)
            assert told["hint"].startswith(hint)


async def test_orders_are_carried_out() -> None:
    """Of routes by name and pattern, of groups, breakers and letters; each is in the audit, with who has said it."""
    async with asked_of(**shop()) as asked:
        await anyio.sleep(5)
        (sight,) = (await asked.post("/api/routes/shop.orders/pause", x_routekit_as="ada%20%C3%BC")).json
        assert (sight["name"], sight["state"]) == ("shop.orders", "paused")
        assert len((await asked.post("/api/routes/shop.*/resume")).json) == 3
        assert (await asked.post("/api/routes/shop.orders/concurrency", {"value": 3})).json["concurrency"] == 3
        assert (await asked.post("/api/groups/sums/flush", {"key": "k"})).json == {"groups": 1}
        assert (await asked.post("/api/breakers/erp/main/open")).json == {"done": True}
        assert (await asked.get("/api/breakers")).json[0]["state"] == "open"
        page = (await asked.get("/api/letters")).json
        assert page["count"] == 2
        letter = page["letters"][0]["id"]
        assert (await asked.post(f"/api/letters/{letter}/discard", {"why": "old"})).json == {"letters": 1}
        audit = [(one["who"], one["action"]) for one in (await asked.get("/api/audit")).json]
        assert audit == [
            ("console", "letters.discard"), ("console", "breakers.open"), ("console", "groups.flush"),
            ("console", "routes.concurrency"), ("console", "routes.resume"), ("ada ü", "routes.pause"),
        ]  # fmt: skip


async def test_letters_are_found_tried_edited_and_replayed() -> None:
    """By the API as by the command line."""
    async with asked_of(**shop()) as asked:
        await anyio.sleep(5)
        (cluster,) = (await asked.get("/api/clusters?route=shop.ill")).json
        letters = (await asked.get(f"/api/letters?cluster={cluster['id'][:6]}&oldest=true")).json["letters"]
        first, second = (letter["id"] for letter in letters)
        trial = (await asked.post(f"/api/letters/{first}/try", {"answers": {}})).json
        assert (trial["result"], trial["step"]) == ("failed", "transform(picky)")
        wrong = await asked.post(f"/api/letters/{first}/edit", {"body": "x", "why": "typo"})
        assert (wrong.status, wrong.json["kind"]) == (400, "BodyError")
        edited = (await asked.post(f"/api/letters/{first}/edit", {"body": 5, "why": "typo"})).json
        assert (edited["body"], edited["came_body"], edited["edits"][0]["what"]) == (5, 1, ["body"])
        done = (await asked.post(f"/api/letters/{first}/replay")).json
        assert (done["running"], done["done"], done["failed"]) == (False, 1, 0)
        failed = (await asked.post("/api/letters/replay", {"selection": {"route": "shop.ill"}, "rate": 100})).json
        assert (failed["done"], failed["failed"], failed["outcomes"][0]["letter"]) == (0, 1, second)
        assert len((await asked.get("/api/replays")).json) == 2
        detail = (await asked.get(f"/api/letters/{second}")).json
        assert [tried["reason"] for tried in detail["replays"]] == ["no"]
        assert (await asked.post("/api/letters/discard", {"all": True, "why": "test"})).json == {"letters": 1}
        (gone,) = (await asked.get("/api/letters/discarded")).json
        assert (gone["id"], gone["why"]) == (second, "test")
        assert (await asked.post(f"/api/letters/{second}/restore", {})).json["letter"]["id"] == second


@dataclass(frozen=True)
class Person:
    """Whose name may be read, and whose address may not."""

    password: str
    email: Annotated[str, Sensitive("email")]


class TestOpenToThisMachine:
    """Without tokens, on loopback: whoever is on this machine may ask, pages of somebody else may not."""

    @pytest.mark.parametrize("host", ["127.0.0.1:7180", "localhost:7180", "[::1]:7180", "127.8.8.8", "LOCALHOST"])
    async def test_names_of_this_machine_get_in(self, host: str) -> None:
        """Whatever name of it is used."""
        async with asked_of(**shop()) as asked:
            assert (await asked.get("/api/routes", host=host)).status == 200

    @pytest.mark.parametrize(
        "host", ["evil.example:7180", "127.0.0.1.evil.example", "10.0.0.1:7180", "", "localhost.evil"]
    )
    async def test_another_name_for_this_address_does_not(self, host: str) -> None:
        """A page may have bound its own name to our address (DNS rebinding): neither API nor console answers."""
        async with asked_of(**shop()) as asked:
            for path in ("/api/routes", "/"):
                answer = await asked.get(path, host=host)
                assert (answer.status, "no name of this machine" in answer.json["error"]) == (403, True)

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"content_type": "application/x-www-form-urlencoded"}, 403),
            ({"content_type": "text/plain"}, 403),
            ({"content_type": ""}, 403),
            ({"content_type": "", "x_routekit": "1"}, 200),
            ({"content_type": "application/json; charset=utf-8"}, 200),
            ({"origin": "http://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": "http://127.0.0.1:7180"}, 200),
            ({"origin": "http://127.0.0.1:8000"}, 403),
            ({"sec_fetch_site": "cross-site"}, 403),
            ({"sec_fetch_site": "same-site"}, 403),
            ({"sec_fetch_site": "same-origin", "origin": "null"}, 200),
        ],
    )
    async def test_forms_of_foreign_pages_change_nothing(self, headers: dict[str, str], status: int) -> None:
        """A change needs what no form of another page can send (CSRF)."""
        async with asked_of(**shop()) as asked:
            answer = await asked.post("/api/routes/shop.orders/pause", **headers)
            assert answer.status == status
            state = "paused" if status == 200 else "running"
            assert (await asked.get("/api/routes/shop.orders")).json["route"]["state"] == state

    async def test_a_wrong_token_is_none(self) -> None:
        """Who shows one is not taken for somebody who shows none."""
        async with asked_of(**shop()) as asked:
            assert (await asked.get("/api/routes", authorization="Bearer x")).status == 401
            assert (await asked.get("/api/routes", authorization="Basic eDp5")).status == 401
            assert (await asked.get("/api/routes", authorization=f"Bearer {asked.door.own}")).status == 200


class TestGuardedByTokens:
    """Where others can reach it, or a token is set."""

    @staticmethod
    def shown(token: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}", "host": "routekit.example"}

    async def test_without_the_right_token_nothing_is_told(self) -> None:
        """Neither of routes nor of health in detail; only whether it lives and is ready."""
        async with asked_of(GUARDED, **shop()) as asked:
            document = (await asked.get("/api/openapi.json", **self.shown(TOKEN))).json
            for path, methods in document["paths"].items():
                method = next(iter(methods)).upper()
                for headers in ({}, self.shown("wrong"), self.shown(TOKEN[:-1]), self.shown("ü")):
                    answer = await asked.ask(method, path, b"{}", content_type="application/json", **headers)
                    assert (path, answer.status) == (path, 200 if path in ("/health/live", "/health/ready") else 401)
            denied = await asked.get("/api/routes")
            assert denied.headers["www-authenticate"] == "Bearer"
            assert (denied.json["error"], TOKEN in denied.text) == ("a token is needed", False)

    async def test_a_reader_looks_and_changes_nothing(self) -> None:
        """Every operation that changes something is refused, by its role."""
        async with asked_of(GUARDED, **shop()) as asked:
            await anyio.sleep(5)
            assert (await asked.get("/api/routes", **self.shown(READER))).status == 200
            letter = (await asked.get("/api/letters", **self.shown(READER))).json["letters"][0]["id"]
            bodies: dict[str, Any] = {
                "concurrency": {"value": 2}, "edit": {"body": 1, "why": "x"}, "discard": {"why": "x", "all": True},
                "letters/replay": {"all": True},
            }  # fmt: skip
            document = (await asked.get("/api/openapi.json", **self.shown(READER))).json
            for path, methods in document["paths"].items():
                if "post" in methods:
                    body = next((body for end, body in bodies.items() if path.endswith(end)), {})
                    if path.startswith("/api/letters/{"):
                        body = {name: value for name, value in body.items() if name != "all"}
                    named = path.replace("{name}", "shop.orders").replace("{id}", letter)
                    answer = await asked.post(named, body, **self.shown(READER))
                    assert (path, answer.status, answer.json["kind"]) == (path, 403, "Rejected")
            assert (await asked.get("/api/audit", **self.shown(READER))).json == []

    async def test_an_operator_needs_no_more_than_the_token(self) -> None:
        """No name of this machine, no header against forms: no page knows the token."""
        async with asked_of(GUARDED, **shop()) as asked:
            answer = await asked.post("/api/routes/shop.orders/pause", content_type="", **self.shown(TOKEN))
            assert answer.status == 200
            assert (await asked.get("/api/audit", **self.shown(TOKEN))).json[0]["who"] == "operator"

    async def test_the_token_of_this_run_is_an_operators(self) -> None:
        """Tools of the same user have it from daemon.json."""
        async with asked_of(GUARDED, **shop()) as asked:
            assert (await asked.post("/api/routes/shop.orders/pause", **self.shown(asked.door.own))).status == 200

    async def test_a_token_on_loopback_is_wanted_too(self) -> None:
        """A server of this machine that hands on requests of others is this machine."""
        access = Access.model_validate({"token": TOKEN, "rate": 10_000})
        async with asked_of(access, **shop()) as asked:
            assert (await asked.get("/api/routes")).status == 401
            assert (await asked.get("/api/routes", **self.shown(TOKEN))).status == 200

    async def test_secrets_of_a_message_are_hidden_from_a_reader(self) -> None:
        """An operator has to see them, to mend the message."""

        def never(body: Any) -> Any:
            raise Rejected("no")

        source = Watched([Message({"password": "hunter2", "email": "ada@example.org"}, id="m1")])
        flow = from_(source, Person, policy=Policy(dead_letter="store")).transform(never)
        async with asked_of(GUARDED, r=flow) as asked:
            await anyio.sleep(5)
            letter = (await asked.get("/api/letters", **self.shown(TOKEN))).json["letters"][0]["id"]
            mine = (await asked.get(f"/api/letters/{letter}", **self.shown(TOKEN))).json
            theirs = (await asked.get(f"/api/letters/{letter}", **self.shown(READER))).json
            assert mine["body"] == {"password": "hunter2", "email": "ada@example.org"}
            assert (theirs["masked"], theirs["body"]["password"]) == (True, "***")
            assert "ada@" not in f"{theirs['body']} {theirs['came_body']}"


class TestFlood:
    """Whoever asks too much is told to wait; the others are not."""

    async def test_a_client_that_asks_too_often_waits(self) -> None:
        """Three seconds' worth at once, and then as many a second as the settings say; others are answered."""
        async with asked_of(Access(rate=2), **shop()) as asked:
            found = [(await asked.get("/api/about")).status for _ in range(10)]
            assert (found[:6], set(found[7:])) == ([200] * 6, {429})
            told = await asked.get("/api/about")
            assert int(told.headers["retry-after"]) >= 1
            assert told.json["kind"] == "Throttled"
            assert (await asked.get("/api/about", client="127.0.0.2")).status == 200
            assert (await asked.get("/health/live")).status == 200

    async def test_a_body_that_is_too_large_is_not_read(self) -> None:
        """Neither one that says so nor one that does not; and one that is no JSON is told."""
        async with asked_of(**shop()) as asked:
            large = b" " * (1 << 20) + b"{}"
            for headers in ({"content_length": str(len(large))}, {}):
                answer = await asked.ask("POST", "/api/reload", large, content_type="application/json", **headers)
                assert answer.status == 413
            for body in (b"{", b"\xff", b"[" * 100_000):
                answer = await asked.ask("POST", "/api/reload", body, content_type="application/json")
                assert (answer.status, answer.json["kind"]) == (400, "BodyError")


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """Who sends a byte now and then does not hold a request for ever."""
    async with asked_of(**shop()) as asked:
        answer = await asked.ask("POST", "/api/reload", b"{", content_type="application/json", trickle="yes")
        assert (answer.status, answer.json["error"]) == (408, "the body did not come in time")


async def test_a_failure_inside_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """Who asks reads that it failed, who looks after the daemon reads why in the log."""

    async def broken(asked: Asked) -> None:
        raise ZeroDivisionError("hunter2")

    async with asked_of(**shop()) as asked:
        monkeypatch.setattr("routekit.operating.service_desk.ServiceDesk.about", broken)
        answer = await asked.get("/api/about")
        assert (answer.status, "hunter2" in answer.text) == (500, False)
        assert "hunter2" in caplog.text
