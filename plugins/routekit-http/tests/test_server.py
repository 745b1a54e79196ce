"""The source that serves: what becomes of requests, and what callers are told."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest
from pydantic import BaseModel

from routekit import BodyError, Logged, Policy, Rejected, Throttled, Unavailable, from_
from routekit.testing import Catalog, Run, Sink, check, running, setup_for

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn needs asyncio."""
    return "asyncio"


class Lead(BaseModel):
    email: str
    age: int = 0


class Search(BaseModel):
    kind: str
    page: int = 1
    size: int = 10
    tags: list[str] = []


async def test_a_request_is_a_message_and_the_reply_its_answer(at: Any, serve_routes: Any) -> None:
    """The body is read as the route's type; what it gives is JSON."""
    out = Sink()
    flow = from_(at("/leads"), Lead).to(out).transform(lambda lead: {"hello": lead.email})
    async with serve_routes(flow) as site:
        answer = await site.call("POST", "/leads?a=1&a=2&b=", json={"email": "a@x"}, headers={"x-evil": "1"})
        form = {"content-type": "application/x-www-form-urlencoded"}
        named = await site.call("POST", "/leads", content=b'{"email": "b@x"}', headers=form)
    assert named.json() == {"hello": "b@x"}, "what the caller says that it is changes nothing"
    out.messages.pop()
    assert (answer.status_code, answer.json()) == (200, {"hello": "a@x"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    assert out.bodies == [Lead(email="a@x")]
    assert dict(out.messages[0].headers) == {
        "http.method": "POST",
        "http.path": "/leads",
        "http.client": "127.0.0.1",
        "http.header.content-type": "application/json",
        "http.query": {"a": ["1", "2"], "b": ""},
    }


async def test_parameters_are_a_typed_body(at: Any, serve_routes: Any) -> None:
    """Of path and query, for methods without content."""
    out = Sink()
    flow = from_(at("/search/{kind}", "method=get"), Search).to(out)
    async with serve_routes(flow) as site:
        answer = await site.call("GET", "/search/a%2Fb?page=3&tags=x&tags=y")
        wrong = await site.call("GET", "/search/leads?page=three&size=many")
        head = await site.call("HEAD", "/search/leads")
    assert answer.json() == {"kind": "a/b", "page": 3, "size": 10, "tags": ["x", "y"]}
    assert out.messages[0].headers["http.params"] == {"kind": "a/b"}
    assert wrong.status_code == 422
    assert [error["field"] for error in wrong.json()["errors"]] == ["page", "size"]
    assert (head.status_code, head.content) == (200, b"")


async def test_a_body_merged_with_its_parameters(at: Any, serve_routes: Any) -> None:
    """What stands in the path counts most."""
    flow = from_(at("/leads/{email}", "method=put&body=merged"), Lead)
    async with serve_routes(flow) as site:
        answer = await site.call("PUT", "/leads/a@x?age=7", json={"email": "other", "age": 3})
        broken = await site.call("PUT", "/leads/a@x", content=b"{")
        listed = await site.call("PUT", "/leads/a@x", content=b"[]")
    assert answer.json() == {"email": "a@x", "age": 7}
    assert (broken.status_code, listed.status_code) == (400, 422)


async def test_forms(at: Any, serve_routes: Any) -> None:
    """Fields are texts, files are uploads."""
    out = Sink()
    flow = from_(at("/form", "body=form"), dict).to(out).transform(lambda _: None)
    async with serve_routes(flow) as site:
        await site.call("POST", "/form", data={"a": "1", "b": ["x", "y"], "c": "ü"})
        await site.call("POST", "/form", data={"a": "1"}, files={"f": ("a.txt", b"text", "text/plain")})
        broken = await site.call(
            "POST", "/form", content=b"nothing", headers={"content-type": "multipart/form-data; boundary=x"}
        )
        json = await site.call("POST", "/form", json={})
        unbounded = await site.call("POST", "/form", content=b"a", headers={"content-type": "multipart/form-data"})
    assert out.bodies[0] == {"a": "1", "b": ["x", "y"], "c": "ü"}
    file = out.bodies[1]["f"]
    assert (out.bodies[1]["a"], file.name, file.type, file.body) == ("1", "a.txt", "text/plain", b"text")
    assert (unbounded.status_code, json.status_code) == (422, 415)
    assert broken.status_code in (204, 422)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (BodyError("no such currency", column="total"), 422, "no such currency"),
        (Rejected("row 5 of table secret"), 422, None),
        (Unavailable("db01:5432 is down"), 503, None),
        (Throttled("more than 5/s"), 429, None),
        (ValueError("secret at 0x7f"), 500, None),
    ],
)
async def test_what_a_caller_is_told_of_a_failure(
    at: Any, serve_routes: Any, error: Exception, status: int, text: str | None
) -> None:
    """Its own mistakes; nothing of what is inside."""

    def fail(body: Any) -> None:
        raise error

    async with serve_routes(from_(at("/x"), bytes).transform(fail)) as site:
        answer = await site.call("POST", "/x", content=b"a")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json().get("detail") == text
    assert ("retry-after" in answer.headers) == (status in (429, 503))


async def test_bodies_that_do_not_fit(at: Any, serve_routes: Any) -> None:
    """No JSON, and not the right one."""
    async with serve_routes(from_(at("/x"), Lead)) as site:
        broken = await site.call("POST", "/x", content=b"{")
        wrong = await site.call("POST", "/x", json={"age": "old"})
    assert broken.status_code == 400
    assert wrong.status_code == 422
    assert wrong.json()["title"] == "Unprocessable Content" or wrong.json()["title"] == "Unprocessable Entity"
    assert "email" in wrong.json()["errors"][0]["field"]


async def test_status_and_headers_of_a_reply(at: Any, serve_routes: Any) -> None:
    """Are headers of the reply that only the author can have set."""
    flow = (
        from_(at("/made"), Lead)
        .set_header("http.status", 201)
        .set_header("http.reply.location", lambda lead: f"/leads/{lead.email}")
    )
    evil = {"http.status": "418", "http.reply.location": "https://evil", "x-http-method-override": "DELETE"}
    async with serve_routes(flow) as site:
        answer = await site.call("POST", "/made", json={"email": "a@x"}, headers=evil)
    assert (answer.status_code, answer.headers["location"]) == (201, "/leads/a@x")


async def test_nothing_to_say(at: Any, serve_routes: Any) -> None:
    """A message that ended early has no reply; a webhook's caller is to get none."""
    ended = from_(at("/ended"), bytes).filter(lambda body: False)
    hook = from_(at("/hook", "status=202&reply=none"), bytes)
    async with serve_routes(ended, hook) as site:
        answers = [await site.call("POST", path, content=b"a") for path in ("/ended", "/hook")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b""), (202, b"")]


async def test_a_webhook_is_answered_once_it_is_stored(at: Any, serve_routes: Any, tmp_path: Any) -> None:
    """What follows hand_over happens after the answer, also if it takes long; with a durable store."""
    release = anyio.Event()
    out = Sink()

    async def slowly(body: str) -> str:
        await release.wait()
        return body

    flow = from_(at("/hook", "status=202"), str).hand_over("hooks", body=str).transform(slowly).to(out)
    async with serve_routes(flow, store=f"sqlite:{tmp_path}/state.db") as site:
        answer = await site.call("POST", "/hook", content=b"event")
        assert (answer.status_code, answer.content, out.bodies) == (202, b"", [])
        release.set()
        with anyio.fail_after(5):
            while not out.bodies:
                await anyio.sleep(0.001)
    assert out.bodies == ["event"]


@pytest.mark.parametrize(
    ("body", "type_", "content"),
    [
        ("grüß", "text/plain; charset=utf-8", "grüß".encode()),
        (b"\x00", "application/octet-stream", b"\x00"),
        ([1], "application/json", b"[1]"),
        ("stream", "application/octet-stream", b"ab"),
        ("path", "text/plain; charset=utf-8", b"file"),
    ],
)
async def test_what_a_reply_is_sent_as(
    at: Any, serve_routes: Any, tmp_path: Any, streamed: Any, body: Any, type_: str, content: bytes
) -> None:
    """By its class."""
    (tmp_path / "a.txt").write_bytes(b"file")

    def made(_: Any) -> Any:
        return streamed(b"a", b"b") if body == "stream" else tmp_path / "a.txt" if body == "path" else body

    async with serve_routes(from_(at("/x", "method=get")).transform(made)) as site:
        answer = await site.call("GET", "/x")
    assert (answer.headers["content-type"], answer.content) == (type_, content)


async def test_who_answers_what(at: Any, serve_routes: Any) -> None:
    """The nearest template, and an honest word where there is none."""

    def say(word: str) -> Callable[[Any], str]:
        return lambda _: word

    flows = [
        from_(at("/a/{id}", "method=get,delete")).transform(say("one")),
        from_(at("/a/mine", "method=get")).transform(say("mine")),
        from_(at("/a/{id}", "method=put")).transform(say("put")),
        from_(at("/files/{name*}", "method=get"), dict).transform(lambda q: q["name"]),
    ]
    async with serve_routes(*flows) as site:
        calls = ["GET /a/1", "GET /a/mine", "PUT /a/mine", "DELETE /a/1", "GET /files/x/y%2Fz"]
        found = [(await site.call(*call.split())).text for call in calls]
        wrong = await site.call("POST", "/a/1")
        options = await site.call("OPTIONS", "/a/1")
        nobody = [(await site.call("GET", path)).status_code for path in ("/", "/a", "/a/", "/a/1/", "/A/1", "/a/1/2")]
    assert found == ["one", "mine", "put", "one", "x/y/z"]
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET, HEAD, PUT")
    assert (options.status_code, options.headers["allow"]) == (204, "DELETE, GET, HEAD, PUT")
    assert nobody == [404] * 6


async def test_sizes_and_times_are_bounded(at: Any, serve_routes: Any) -> None:
    """A long body, a slow one, one that is packed, and one that ends early."""
    flow = from_(at("/x", "max_body=1KB&read_timeout=100ms"), bytes).transform(len)
    async with serve_routes(flow) as site:
        assert (await site.call("POST", "/x", content=b"x" * 1024)).json() == 1024
        assert (await site.call("POST", "/x", content=b"x" * 1025)).status_code == 413

        async with await anyio.connect_tcp("127.0.0.1", site.port) as long:
            await long.send(b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            await long.send(b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n")
            assert b" 413 " in await long.receive()
        packed = await site.call("POST", "/x", content=b"x", headers={"content-encoding": "gzip"})
        assert packed.status_code == 415
        async with await anyio.connect_tcp("127.0.0.1", site.port) as slow:
            await slow.send(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab")
            assert b" 408 " in await slow.receive()


async def test_heads_are_bounded(at: Any, serve_routes: Any, free_port: int) -> None:
    """In size and in time; a connection that says nothing is closed."""
    tables = {("http_server", "default"): {"head_timeout": "200ms", "max_head": "4KB"}}
    async with serve_routes(from_(at("/x"), bytes), tables=tables):
        async with await anyio.connect_tcp("127.0.0.1", free_port) as client:
            await client.send(b"GET /x HTTP/1.1\r\nhost: x\r\n")
            for _ in range(5):
                await client.send(b"x-filler: " + b"x" * 1000 + b"\r\n")
            assert (await client.receive()).startswith(b"HTTP/1.1 431 ")
        for said in (b"", b"GET /x HTTP/1.1\r\nhost"):
            async with await anyio.connect_tcp("127.0.0.1", free_port) as client:
                if said:
                    await client.send(said)
                with anyio.fail_after(2):
                    assert (await client.receive()).startswith(b"HTTP/1.1 408 ")
        async with await anyio.connect_tcp("127.0.0.1", free_port) as client:
            await client.send(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na")
            assert (await client.receive()).startswith(b"HTTP/1.1 200 ")
            await anyio.sleep(0.3)
            await client.send(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nb")
            assert (await client.receive()).startswith(b"HTTP/1.1 200 "), "it is kept between requests"


async def test_too_many_at_once(at: Any, serve_routes: Any) -> None:
    """Are told to come again."""
    release = anyio.Event()

    async def slowly(body: bytes) -> bytes:
        await release.wait()
        return body

    answers: list[int] = []

    async with serve_routes(from_(at("/x", "most=2"), bytes).transform(slowly)) as site:

        async def call() -> None:
            answers.append((await site.call("POST", "/x", content=b"a")).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call)
            while len(answers) < 3:
                await anyio.sleep(0.001)
            release.set()
    assert answers == [503, 503, 503, 200, 200]


async def test_the_last_answer_is_written_before_the_service_ends(at: Any, serve_routes: Any, free_port: int) -> None:
    """And who comes while it stops is asked to come again."""
    entered, release = anyio.Event(), anyio.Event()

    async def slowly(body: bytes) -> str:
        entered.set()
        await release.wait()
        return "x" * 1_000_000

    answers: dict[str, httpx.Response] = {}

    async def call(name: str) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{free_port}", trust_env=False) as client:
            answers[name] = await client.post("/x", content=b"a")

    async with anyio.create_task_group() as tasks, serve_routes(from_(at("/x"), bytes).transform(slowly)) as site:
        tasks.start_soon(call, "last")
        await entered.wait()

        async def stop() -> None:
            await site.service.control("stop", "route-1")
            await call("late")
            release.set()

        tasks.start_soon(stop)
    assert (answers["last"].status_code, len(answers["last"].text)) == (200, 1_000_000)
    assert (answers["late"].status_code, answers["late"].headers["retry-after"]) == (503, "5")


async def test_a_route_that_is_stopped_is_not_forgotten(at: Any, serve_routes: Any) -> None:
    """Its callers get 503, and 200 when it is back."""
    async with serve_routes(from_(at("/x"), bytes), from_(at("/y"), bytes)) as site:
        await site.service.control("stop", "route-1")
        found = []
        for _ in range(100):
            found.append((await site.call("POST", "/x", content=b"a")).status_code)
            if found[-1] == 503:
                break
            await anyio.sleep(0.005)
        assert found[-1] == 503
        assert (await site.call("POST", "/y", content=b"a")).status_code == 200
        await site.service.control("start", "route-1")
        with anyio.fail_after(5):
            while (await site.call("POST", "/x", content=b"a")).status_code != 200:
                await anyio.sleep(0.005)


async def test_a_message_that_is_forced_to_stop_is_not_at_work_any_more(
    at: Any, serve_routes: Any, free_port: int
) -> None:
    """After the drain time nothing of the route goes on; the caller may come again."""
    entered, outcomes = anyio.Event(), list[str]()

    async def forever(body: bytes) -> bytes:
        entered.set()
        try:
            await anyio.sleep(60)
        finally:
            outcomes.append("cancelled")
        return body

    statuses: list[int] = []

    async def call() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            statuses.append((await client.post(f"http://127.0.0.1:{free_port}/x", content=b"a")).status_code)

    async with anyio.create_task_group() as tasks:
        async with serve_routes(from_(at("/x"), bytes).transform(forever), drain=0.05):
            tasks.start_soon(call)
            await entered.wait()
        assert outcomes == ["cancelled"]
    assert statuses == [503]


async def test_two_routes_for_one_thing_are_an_error(at: Any, free_port: int) -> None:
    """The second is not started; it says who else there is."""
    from routekit import RouteDegraded

    run = Run()
    flows = [from_(at("/x/{a}")), from_(at("/x/{b}", "method=get,post"))]
    async with running(*flows, setup=setup_for(run)):
        while not run.of(RouteDegraded):
            await anyio.sleep(0.001)
    assert re.search(r"routes route-. and route-. both answer POST /x/", str(run.of(RouteDegraded)[0].error))


async def test_an_address_that_is_taken(at: Any, free_port: int) -> None:
    """Is told; the route starts when it is free."""
    import socket

    from routekit import RouteDegraded

    run = Run()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        async with running(from_(at("/x")), setup=setup_for(run)):
            while not run.of(RouteDegraded):
                await anyio.sleep(0.001)
    error = run.of(RouteDegraded)[0].error
    assert isinstance(error, Unavailable)
    assert f"cannot serve http:127.0.0.1:{free_port}: Address already in use" in str(error)


async def test_any_free_port(serve_routes: Any) -> None:
    """Port 0; the log says which it is."""
    run = Run()
    async with running(from_("http:127.0.0.1:0/x", bytes), setup=setup_for(run)):
        while not run.of(Logged):
            await anyio.sleep(0.001)
        found = re.fullmatch(r"serving POST (http://127\.0\.0\.1:\d+/x)", run.of(Logged)[0].text)
        assert found is not None
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.post(found[1], content=b"a")).content == b"a"


async def test_ids_of_the_caller(at: Any, serve_routes: Any) -> None:
    """A header may be the id, so that what comes twice is known again."""
    out = Sink()
    flow = from_(at("/x", "id_header=X-Event-Id"), bytes).to(out)
    async with serve_routes(flow) as site:
        for id_ in ("e-1", "e-1"):
            await site.call("POST", "/x", content=b"a", headers={"x-event-id": id_})
        await site.call("POST", "/x", content=b"a")
    assert [message.id for message in out.messages[:2]] == ["e-1", "e-1"]
    assert out.messages[2].id not in ("", "e-1")


async def test_pages_of_other_origins(at: Any, serve_routes: Any) -> None:
    """Only those that the settings name may call."""
    tables = {("http_server", "default"): {"cors_origins": ["https://shop.example"], "cors_headers": ["x-token"]}}
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "x-token"}
    async with serve_routes(from_(at("/x"), bytes), tables=tables) as site:
        good = await site.call("OPTIONS", "/x", headers={"origin": "https://shop.example", **ask})
        bad = await site.call("OPTIONS", "/x", headers={"origin": "https://evil.example", **ask})
        call = await site.call("POST", "/x", content=b"a", headers={"origin": "https://shop.example"})
    assert good.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in bad.headers
    assert call.headers["access-control-allow-origin"] == "https://shop.example"


async def test_a_dead_letter_is_an_acceptance(at: Any, serve_routes: Any) -> None:
    """If the policy keeps failed messages, the caller need not come again."""

    def fail(body: bytes) -> None:
        raise ValueError("no")

    flow = from_(at("/x"), bytes, policy=Policy(dead_letter="store")).transform(fail)
    async with serve_routes(flow) as site:
        assert (await site.call("POST", "/x", content=b"a")).status_code == 204
        assert await site.service.store.letters.count() == 1


async def test_a_streamed_request(at: Any, serve_routes: Any) -> None:
    """Is read by the route as it comes, within its limit."""

    async def count(chunks: Any) -> int:
        return sum([len(chunk) async for chunk in chunks])

    flow = from_(at("/x", "body=stream&max_body=1MB")).transform(count)
    async with serve_routes(flow) as site:
        assert (await site.call("POST", "/x", content=b"x" * 500_000)).json() == 500_000
        with suppress(httpx.HTTPError):  # it may be cut off while it is still sending
            assert (await site.call("POST", "/x", content=b"x" * 2_000_000)).status_code == 413


async def test_tls_and_certificates_of_clients(free_port: int, tmp_path: Any) -> None:
    """`https:` needs a certificate; with client_ca, so do its callers."""
    import ssl

    import trustme

    from routekit import RouteDegraded

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.issue_cert("me@x").private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    table = {"cert": str(tmp_path / "server.pem"), "client_ca": str(tmp_path / "ca.pem")}
    flow = from_(f"https:127.0.0.1:{free_port}/x", bytes)
    run = Run()
    settings = {("http_server", f"127.0.0.1:{free_port}"): table}
    async with running(flow, setup=setup_for(run, settings=lambda *key: settings.get(key))):
        while not run.of(Logged):
            await anyio.sleep(0.001)
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as client:
            with pytest.raises(httpx.HTTPError):
                await client.post(f"https://127.0.0.1:{free_port}/x", content=b"a")
        trusting.load_cert_chain(tmp_path / "me.pem")
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as client:
            assert (await client.post(f"https://127.0.0.1:{free_port}/x", content=b"a")).content == b"a"
    without = Run()
    async with running(flow, setup=setup_for(without)):
        while not without.of(RouteDegraded):
            await anyio.sleep(0.001)
    assert "has no certificate; write cert and key into [http_server." in str(without.of(RouteDegraded)[0].error)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_server_needs_asyncio(at: Any, anyio_backend: str) -> None:
    """It is told when the route starts."""
    from routekit import DefinitionError, RouteDegraded

    run = Run()
    async with running(from_(at("/x")), setup=setup_for(run)):
        while not run.of(RouteDegraded):
            await anyio.sleep(0.001)
    assert isinstance(run.of(RouteDegraded)[0].error, DefinitionError)
    assert "can be served on asyncio only" in str(run.of(RouteDegraded)[0].error)


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http:localhost:80/a/x{b}", "a name in braces is a whole part"),
        ("http:localhost:80/{a*}/b", "it must be the last part"),
        ("http:localhost:99999/a", "write HOST:PORT/path"),
        ("http:localhost:80/a?method=brew", "found 'BREW'"),
        ("http:localhost:80/a?signature=x&body=stream", "cannot be a stream"),
        ("http:localhost:80/a?metod=get", "did you mean 'method'?"),
    ],
)
def test_what_is_written_wrong(host_of: Any, uri: str, text: str) -> None:
    """Is found before anything runs."""
    from routekit import BadOption, Target

    with pytest.raises(BadOption) as caught:
        host_of().catalog.source(Target(uri))
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("http:h:1/a/{id}?method=get,put", "http:h:1/a/{name}?method=put", "both answer PUT /a/{name} on h:1"),
        ("http:h:1/a", "https:h:1/b", "h:1 cannot be both http: and https:"),
        ("http:h:1/a", "http:h:1/b", ""),
        ("http:h:1/a", "http:h:1/a?method=get", ""),
        ("http:h:1/a", "http:h:2/a", ""),
    ],
)
def test_two_routes_that_answer_the_same_are_found_by_a_check(one: str, other: str, found: str) -> None:
    """Before anything runs."""
    problems = check([from_(one).route("one"), from_(other).route("other")], Catalog())
    assert [problem.message for problem in problems] == ([f"it clashes with route 'one': {found}"] if found else [])


async def test_a_route_describes_itself(at: Any, serve_routes: Any) -> None:
    """Its typed body and what its author says of it are in the description of the API."""
    flow = from_(at("/leads"), Lead).route("crm.leads", "Takes leads.\n\nOf the form.")
    tables = {("http_server", "default"): {"openapi": "/openapi.json"}}
    async with serve_routes(flow, tables=tables) as site:
        post = (await site.call("GET", "/openapi.json")).json()["paths"]["/leads"]["post"]
    assert (post["summary"], post["description"]) == ("Takes leads.", "Of the form.")
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Lead"}


async def test_a_durable_route_answers_as_soon_as_the_message_is_kept(at: Any, serve_routes: Any) -> None:
    """202 without a body; what does not fit is refused as ever, and a message that is known is not run again."""
    out = Sink()
    flow = from_(at("/leads?id_header=x-id"), Lead, policy=Policy(durable="store")).to(out)
    async with serve_routes(flow) as site:
        answers = [await site.call("POST", "/leads", json={"email": "a@x"}, headers={"x-id": "1"}) for _ in range(2)]
        refused = await site.call("POST", "/leads", json={"age": 1})
    assert [(answer.status_code, answer.content) for answer in answers] == [(202, b""), (202, b"")]
    assert refused.status_code == 422
    assert out.bodies == [Lead(email="a@x")]
