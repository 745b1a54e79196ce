"""What statuses and broken connections mean, and how long is waited for whom."""

from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import anyio
import pytest

from routekit import BadOption, Policy, Rejected, Retry, Target, Unavailable, UnknownName, from_
from routekit.testing import Feed, run_routes
from routekit_http import HttpConflict, HttpRejected, HttpUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def crm(peer: Any, host: Any) -> Any:
    host.tables["http", "crm"] = {"url": peer.url}
    return host


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, HttpRejected),
        (403, HttpRejected),
        (404, HttpRejected),
        (422, HttpRejected),
        (501, HttpRejected),
        (302, HttpRejected),
        (409, HttpConflict),
        (412, HttpConflict),
        (401, HttpUnavailable),
        (408, HttpUnavailable),
        (429, HttpUnavailable),
        (500, HttpUnavailable),
        (503, HttpUnavailable),
        (599, HttpUnavailable),
    ],
)
async def test_what_a_status_means(crm: Any, peer: Any, says: Any, status: int, kind: type[Exception]) -> None:
    """Refused for good, or worth another try."""
    peer.answer = says(status, b'{"error": "no\x00pe"}', {"content-type": "application/json"})
    send = await crm.sink("http:crm/orders?query.token=s3cret&method=put")
    with pytest.raises(kind) as caught:
        await send({})
    assert type(caught.value) is kind
    assert isinstance(caught.value, Unavailable if kind is HttpUnavailable else Rejected)
    assert caught.value.status == status  # type: ignore[attr-defined]
    assert f"PUT {peer.url}/orders was answered {status}" in str(caught.value)
    assert str(caught.value).endswith(': {"error": "no pe"}')
    assert "s3cret" not in str(caught.value)


async def test_the_author_has_the_last_word(crm: Any, peer: Any, says: Any) -> None:
    """Which statuses are fine, and which are worth another try."""
    send = await crm.sink("http:crm/x?ok=200-299,409&unavailable=404")
    peer.answer = says(409)
    assert (await send({})).headers["http.status"] == 409
    peer.answer = says(404)
    with pytest.raises(HttpUnavailable):
        await send({})
    peer.answer = says(503)
    with pytest.raises(HttpRejected):
        await send({})


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http:crm/x?ok=2xx", "'2xx' is no status"),
        ("http:crm/x?ok=99", "'99' is not between 100 and 599"),
        ("http:crm/x?headers.Authorization=Bearer x", "[http.NAME.auth]"),
        ("http:crm/x?idempotency_key=abc", "`message`, or computed"),
        ("http://user:pw@host/x", "credentials belong to a connection"),
        ("https:crm/x", "http:crm/x, whatever its URL"),
        ("http:/x", "is no name of a connection"),
        ("http:crm/x?metod=get", "did you mean 'method'?"),
    ],
)
def test_what_is_written_wrong(host_of: Any, uri: str, text: str) -> None:
    """Is found before anything runs, and shows no secret."""
    with pytest.raises(BadOption) as caught:
        host_of().catalog.sink(Target(uri))
    assert text in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (None, 'write [http.crm] with a line such as url = "https://..."'),
        ({}, "'url': Field required"),
        ({"url": "ftp://x"}, "write a whole URL"),
        ({"url": "https://me:hunter2@x"}, "no user and password in the URL"),
        ({"url": "https://x", "tiemout": 1}, "did you mean 'timeout'?"),
        ({"url": "https://x", "rate": "fast"}, "'fast' is no rate"),
        ({"url": "https://x", "key": "k.pem"}, "key= needs cert="),
        ({"url": "https://x", "auth": {"kind": "bearer", "tokn": "hunter2"}}, "auth.bearer.tokn"),
    ],
)
async def test_settings_that_are_wrong(host: Any, table: Mapping[str, Any] | None, text: str) -> None:
    """Say what to write, and show no secret."""
    if table is not None:
        host.tables["http", "crm"] = table
    with pytest.raises(BadOption if table is not None else UnknownName) as caught:
        await host.sink("http:crm/x")
    assert text in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_nobody_is_there(host: Any, free_port: int) -> None:
    """Nothing was sent, so that trying again cannot do anything twice."""
    send = await host.sink(f"http://127.0.0.1:{free_port}/x")
    with pytest.raises(HttpUnavailable) as caught:
        await send({})
    assert caught.value.sent is False


async def test_a_connection_that_breaks_may_have_done_its_work(crm: Any, peer: Any) -> None:
    """Before an answer, or in the middle of one."""
    send = await crm.sink("http:crm/x")
    peer.answer = lambda asked: None
    with pytest.raises(HttpUnavailable) as caught:
        await send({})
    assert caught.value.sent is True


async def test_half_an_answer_is_none(crm: Any, peer: Any, says: Any) -> None:
    """What breaks off is an error."""
    peer.answer = says(200, chunks=[b"half", None], headers={"content-length": "100"})
    send = await crm.sink("http:crm/x")
    with pytest.raises(HttpUnavailable):
        await send({})


async def test_a_slow_answer_is_not_waited_for(crm: Any, peer: Any) -> None:
    """The time is that of the whole request, however much of it is trickling in."""

    async def never(asked: Any) -> None:
        await anyio.sleep(10)

    peer.answer = never
    send = await crm.sink("http:crm/x?timeout=50ms")
    with pytest.raises(HttpUnavailable, match=r"no answer within 0.05 s"):
        await send({})


async def test_a_long_answer_is_refused(crm: Any, peer: Any, says: Any) -> None:
    """Also one that is small until it is unpacked."""
    import gzip

    send = await crm.sink("http:crm/x?max_answer=10KB")
    for answer in (says(200, b"x" * 10_241), says(200, gzip.compress(b"x" * 1_000_000), {"content-encoding": "gzip"})):
        peer.answer = answer
        with pytest.raises(HttpRejected, match=r"longer than 10240 bytes"):
            await send({})
    peer.answer = says(200, gzip.compress(b"packed"), {"content-encoding": "gzip"})
    assert (await send({})).body == b"packed"


async def test_read_only_is_kept_by_the_client(crm: Any, peer: Any) -> None:
    """A method that writes fails before the network."""
    crm.tables["http", "crm"]["read_only"] = True
    send = await crm.sink("http:crm/x")
    with pytest.raises(HttpRejected, match=r"read_only"):
        await send({})
    await send({}, method="GET")
    assert [asked.method for asked in peer.asked] == ["GET"]


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_holds_for_the_whole_connection(crm: Any, peer: Any, says: Any, form: str) -> None:
    """In both forms; one request was told, all wait, and none fails for it."""
    now = 1_800_000_000
    after = "1" if form == "seconds" else formatdate(now + 1, usegmt=True)
    answers = [says(429, b"", {"retry-after": after, "date": formatdate(now, usegmt=True)})]
    peer.answer = lambda asked: answers.pop(0) if answers else says()
    send = await crm.sink("http:crm/x")
    other = await crm.sink("http:crm/y")
    begun = anyio.current_time()
    with pytest.raises(HttpUnavailable) as caught:
        await send({})
    assert caught.value.retry_after == 1.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, {})
        tasks.start_soon(other, {})
    assert 0.95 < anyio.current_time() - begun < 2.5


async def test_who_would_wait_too_long_is_told_at_once(crm: Any, peer: Any, says: Any) -> None:
    """So that its slot is free; nothing is asked meanwhile."""
    crm.tables["http", "crm"]["max_wait"] = "5s"
    peer.answer = says(503, b"", {"retry-after": "600"})
    send = await crm.sink("http:crm/x")
    with pytest.raises(HttpUnavailable):
        await send({})
    with pytest.raises(HttpUnavailable, match=r"it asked to wait, 600 s from now") as caught:
        await send({})
    assert (caught.value.sent, len(peer.asked)) == (False, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "300"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{epoch}"},
        {"ratelimit": '"default";r=0;t=300', "ratelimit-policy": '"default";q=100;w=600'},
        {"ratelimit-remaining": "0", "ratelimit-reset": "300"},
        {"x-hubspot-ratelimit-remaining": "0", "x-hubspot-ratelimit-interval-milliseconds": "300000"},
    ],
)
async def test_the_connection_learns_from_headers(crm: Any, peer: Any, says: Any, headers: dict[str, str]) -> None:
    """When nothing is left, no request is made to hear so."""
    crm.tables["http", "crm"]["max_wait"] = "1s"
    peer.answer = says(200, b"", {k: v.replace("{epoch}", str(int(crm.now()) + 300)) for k, v in headers.items()})
    send = await crm.sink("http:crm/x")
    await send({})
    with pytest.raises(HttpUnavailable, match=r"(300|299) s from now|299.. s"):
        await send({})
    assert len(peer.asked) == 1


async def test_the_rate_of_the_settings_is_kept(crm: Any, peer: Any) -> None:
    """A burst of one second's worth, and then in time."""
    crm.tables["http", "crm"]["rate"] = "20/s"
    send = await crm.sink("http:crm/x")
    begun = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(26):
            tasks.start_soon(send, {})
    assert 0.25 < anyio.current_time() - begun < 1.5


async def test_a_route_rides_out_a_bad_moment(peer: Any, says: Any, setup_with: Any) -> None:
    """By its policy's retries; what is refused for good becomes a dead letter at once."""
    answers = [says(503), says(503), says(200), says(422, b"no e-mail", {"content-type": "text/plain"})]
    peer.answer = lambda asked: answers.pop(0)
    flow = from_(Feed([{"n": 1}, {"n": 2}]), policy=Policy(retry=Retry(5, first=0.001))).to("http:crm/leads")
    run = await run_routes(flow, setup=setup_with(http__crm={"url": peer.url}))
    assert (run.counts["route-1"].done, run.counts["route-1"].retried) == (1, 2)
    assert [(letter.error, letter.attempts) for letter in run.letters] == [("HttpRejected", 1)]
    assert "answered 422 Unprocessable" in run.letters[0].reason


async def test_an_answer_enriches(peer: Any, says: Any, setup_with: Any) -> None:
    """Read as the type that was asked for; 404 is what stands for nothing."""
    answers = [says(200, b'{"price": 5}'), says(404)]
    peer.answer = lambda asked: answers.pop(0)
    out: list[Any] = []
    flow = (
        from_(Feed(["a", "b"]), str)
        .enrich(
            "http:shop/prices/{sku}?method=get&absent=404",
            path=lambda sku: {"sku": sku},
            answer=dict[str, int],
            missing={},
            merge=lambda sku, answer: (sku, answer),
        )
        .transform(out.append)
    )
    await run_routes(flow, setup=setup_with(http__shop={"url": peer.url}))
    assert out == [("a", {"price": 5}), ("b", {})]
    assert [asked.path for asked in peer.asked] == ["/prices/a", "/prices/b"]
