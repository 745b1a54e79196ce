"""Polling: every row once on a source that stands still, none missed on one that moves, the position kept safely."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from routekit import BadOption, Delivery, Logged, Policy, RouteDegraded, Target, from_
from routekit.testing import Sink, run_routes, running

pytestmark = pytest.mark.anyio


class Api:
    """Rows behind every way to page."""

    def __init__(self, peer: Any, says: Any) -> None:
        self.says = says
        self.peer = peer
        self.rows: list[dict[str, Any]] = []
        self.page = 3
        self.answer: Callable[[dict[str, str], Any], Any] | None = None
        peer.answer = self.say

    def fill(self, count: int) -> None:
        self.rows = [{"id": n, "at": n // 2} for n in range(count)]

    def say(self, asked: Any) -> Any:
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}
        if asked.method == "POST":
            query = json.loads(asked.body)
        path = urlsplit(asked.path).path
        assert self.answer is not None or path.strip("/") in self.__class__.__dict__, path
        document = self.answer(query, asked) if self.answer else getattr(self, path.strip("/"))(query)
        if not isinstance(document, (dict, list)):
            return document
        headers = document.pop("headers", {}) if isinstance(document, dict) else {}
        return self.says(200, json.dumps(document).encode(), {"content-type": "application/json", **headers})

    def offset(self, query: dict[str, str]) -> Any:
        start = int(query["offset"])
        return self.rows[start : start + min(self.page, int(query.get("limit", 99)))]

    def numbered(self, query: dict[str, str]) -> Any:
        start = (int(query["p"]) - 1) * self.page
        return {"data": {"results": self.rows[start : start + self.page]}}

    def cursor(self, query: dict[str, str]) -> Any:
        start = int(query.get("after", "0").removeprefix("c"))
        rows, end = self.rows[start : start + self.page], start + self.page
        return {"results": rows, "paging": {"next": {"after": f"c{end}"}} if end < len(self.rows) else None}

    def stream(self, query: dict[str, str]) -> Any:
        start = int(query.get("cursor", "0"))
        rows = self.rows[start : start + self.page]
        return {"rows": rows, "after_cursor": str(start + len(rows)), "end": start + self.page >= len(self.rows)}

    def link(self, query: dict[str, str]) -> Any:
        start = int(query.get("from", "0"))
        more = start + self.page < len(self.rows)
        link = f'</link?from={start + self.page}>; rel="next", </x>; rel="last"' if more else '</x>; rel="last"'
        return {"rows": self.rows[start : start + self.page], "headers": {"link": link}}

    def odata(self, query: dict[str, str]) -> Any:
        start = int(query.get("from", "0"))
        end = min(start + self.page, len(self.rows))
        name = "@odata.nextLink" if end < len(self.rows) else "@odata.deltaLink"
        return {"value": self.rows[start:end], name: f"{self.peer.url}/odata?from={end}"}

    def keyset(self, query: dict[str, str]) -> Any:
        """From a time on, including it."""
        since = int(query.get("since", "-1"))
        rows = sorted((row for row in self.rows if row["at"] >= since), key=lambda row: (row["at"], row["id"]))
        return rows[: int(query["limit"])]


WAYS = {
    "offset": "offset?paging=offset",
    "offset with a size": "offset?paging=offset&size=50",
    "page": "numbered?paging=page&param=p&items=data/results",
    "cursor": "cursor?paging=cursor&param=after&at=paging/next/after&items=results",
    "stream": "stream?paging=cursor&at=after_cursor&more=!end&resume=after_cursor&items=rows",
    "stream by post": "stream?paging=cursor&at=after_cursor&more=!end&resume=after_cursor&items=rows&method=post",
    "link": "link?paging=link&items=rows",
    "odata": "odata?paging=next&at=@odata.nextLink&resume=@odata.deltaLink&items=value",
    "keyset": "keyset?paging=keyset&keys=since:at&size=5",
}
GO_ON = ("stream", "stream by post", "odata", "keyset")


@pytest.fixture
def api(peer: Any, says: Any) -> Api:
    return Api(peer, says)


@pytest.fixture
def uri(peer: Any) -> Callable[[str], str]:
    def made(way: str) -> str:
        return f"{peer.url}/{WAYS.get(way, way)}&name=rows&poll=20ms"

    return made


@pytest.fixture
def polled(setup_with: Any, uri: Any) -> Callable[..., Any]:
    """Run the poll until it rests, and give the ids of the rows."""

    async def run(way: str) -> list[int]:
        out = Sink()
        await run_routes(from_(uri(way)).to(out), setup=setup_with())
        return [body["id"] for body in out.bodies]

    return run


class Reading:
    """A source that a test reads by hand."""

    def __init__(self, host: Any, source: Any) -> None:
        self.host, self.source = host, source
        self.got: list[Delivery[Any]] = []
        self.rests = 0
        self.error: Exception | None = None

    async def run(self) -> None:
        try:
            async with aclosing(self.source.consume(self.host)) as deliveries:
                async for delivery in deliveries:
                    self.got.append(delivery)
        except Exception as error:
            self.error = error

    async def until(self, done: Callable[[], object]) -> None:
        with anyio.fail_after(5):
            while not done():
                await anyio.sleep(0.002)

    @property
    def ids(self) -> list[int]:
        return [delivery.message.body["id"] for delivery in self.got]

    async def settle(self, *ids: int, ok: bool = True) -> None:
        for delivery in [one for one in self.got if one.message.body["id"] in ids]:
            self.got.remove(delivery)
            if ok:
                await delivery.ack(None)  # type: ignore[misc]
            else:
                await delivery.nack(ValueError())  # type: ignore[misc]


@asynccontextmanager
async def reading(host: Any, uri: str) -> AsyncGenerator[Reading]:
    made = Reading(host, host.catalog.source(Target(uri)))

    async def rest(seconds: float) -> None:
        made.rests += 1
        await anyio.sleep(seconds)

    @contextmanager
    def resting() -> Any:
        made.rests += 1
        yield

    host.rest, host.resting = rest, resting
    host.events = []
    host.emit = host.events.append
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.run)
        yield made
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [0, 1, 3, 7, 12])
async def test_every_row_comes_once(api: Api, polled: Any, way: str, count: int) -> None:
    """On a source that stands still, whatever the sizes of its pages."""
    api.fill(count)
    assert await polled(way) == list(range(count))


@pytest.mark.parametrize("way", GO_ON)
async def test_what_is_new_comes_after_a_restart(api: Api, polled: Any, way: str) -> None:
    """And what has come does not come again."""
    api.fill(7)
    assert await polled(way) == list(range(7))
    api.fill(11)
    assert await polled(way) == list(range(7, 11))
    assert await polled(way) == []


@pytest.mark.parametrize("way", ["offset", "cursor", "link"])
async def test_a_listing_is_read_anew(api: Api, polled: Any, way: str) -> None:
    """Where the API knows of no changes."""
    api.fill(4)
    assert await polled(way) == await polled(way) == list(range(4))


@pytest.mark.parametrize("way", ["cursor", "stream", "link", "odata", "keyset"])
async def test_the_position_waits_for_the_first_unfinished_row(host: Any, api: Api, uri: Any, way: str) -> None:
    """Nothing is missing, whatever was done in which order; of the page in hand nothing is repeated."""
    api.fill(12)
    async with reading(host, uri(way)) as source:
        await source.until(lambda: len(source.got) == 12)
        await source.settle(0, 1, 3, 5, 6, 7, 8, 9, 10, 11)
    async with reading(host, uri(way)) as source:
        await source.until(lambda: source.rests)
        assert set(source.ids) >= {2, 4, *range(6, 12)}, "the first page was not done"
        assert not {0, 1} & set(source.ids), "they were"
        await source.settle(2, 4)
    async with reading(host, uri(way)) as source:
        await source.until(lambda: source.rests)
        assert set(source.ids) >= ({*range(6, 12)} if way == "keyset" else {3, 5, *range(6, 12)})
        assert not {0, 1, 2, 4} & set(source.ids)
        await source.settle(*range(12))
    if way in GO_ON:
        async with reading(host, uri(way)) as source:
            await source.until(lambda: source.rests)
            assert source.ids == []


async def test_a_refused_row_comes_again(host: Any, api: Api, uri: Any) -> None:
    """And until it is done the position stays, while the others go on."""
    api.fill(4)
    async with reading(host, uri("stream")) as source:
        await source.until(lambda: len(source.got) == 4)
        await source.settle(1, ok=False)
        await source.settle(0, 2, 3)
        await source.until(lambda: source.ids == [1])
        assert await host.store.marks("http-poll:rows").get("position") is None
        await source.settle(1)
        kept = await host.store.marks("http-poll:rows").get("position")
        assert json.loads(kept) == {"paging": "cursor", "position": {"cursor": "4"}}


async def test_rows_that_change_while_they_are_read(host: Any, api: Api, uri: Any) -> None:
    """By keyset none is missed that is there throughout, though rows before it go and others are touched."""
    api.fill(12)
    async with reading(host, uri("keyset")) as source:
        await source.until(lambda: len(source.got) >= 5)
        api.rows = [row for row in api.rows if row["id"] not in (0, 1, 2)]
        touched = next(row for row in api.rows if row["id"] == 4)
        touched["at"] = 100
        await source.until(lambda: source.rests)
        assert set(source.ids) >= set(range(5, 12)) | {4}


async def test_many_rows_of_one_key(host: Any, api: Api, uri: Any) -> None:
    """As long as a page holds them they come once; more than that cannot be told apart, and is an error."""
    api.rows = [{"id": n, "at": 7} for n in range(4)]
    async with reading(host, uri("keyset")) as source:
        await source.until(lambda: source.rests > 2)
        assert source.ids == [0, 1, 2, 3]
        api.rows += [{"id": n, "at": 7} for n in range(4, 9)]
        await source.settle(0, 1, 2, 3)
        await source.until(lambda: source.error)
    assert "a whole page of 5 rows has one key" in str(source.error)
    assert sorted(source.ids) == [4], "that which still fitted"


@pytest.mark.parametrize(
    ("way", "answer", "text"),
    [
        ("cursor", {"results": [{"id": 1}], "paging": {"next": {"after": "c1"}}}, "'c1' is given by its own page"),
        ("link", {"rows": [], "headers": {"link": "</link?from=1>; rel=next"}}, "is given by its own page"),
        ("odata", {"value": [], "@odata.nextLink": "http://169.254.169.254/x"}, "the next page of 127.0.0.1 is at"),
        ("odata", {"value": []}, "nothing at resume=@odata.deltaLink"),
        ("page", {"data": {}}, "nothing at items=data/results"),
        ("keyset", [{"id": 1, "at": 5}, {"id": 2, "at": None}], "column 'at': the key is None"),
    ],
)
async def test_an_api_that_does_not_keep_its_word(
    host: Any, api: Api, uri: Any, way: str, answer: Any, text: str
) -> None:
    """Is an error, and no endless loop."""
    api.answer = lambda query, asked: json.loads(json.dumps(answer))
    async with reading(host, uri(way)) as source:
        await source.until(lambda: source.error)
    assert text in str(source.error)
    assert len(api.peer.asked) <= 2


async def test_rows_out_of_order(host: Any, api: Api, uri: Any) -> None:
    """By a key they would be skipped: it is told."""
    pages = [[{"id": n, "at": 10} for n in range(5)], [{"id": 9, "at": 3}]]
    api.answer = lambda query, asked: pages.pop(0)
    async with reading(host, uri("keyset")) as source:
        await source.until(lambda: source.error)
    assert "not in the order of their key: 3 comes after 10" in str(source.error)


async def test_too_many_pages(host: Any, api: Api, uri: Any) -> None:
    """In one go are an error."""
    api.fill(100)
    async with reading(host, uri("offset") + "&max_pages=4") as source:
        await source.until(lambda: source.error)
    assert "more than 4 pages" in str(source.error)


async def test_a_position_that_is_too_old(host: Any, api: Api, uri: Any, says: Any) -> None:
    """Everything is read anew, and told: never silently from now on."""
    api.fill(4)
    async with reading(host, uri("stream")) as source:
        await source.until(lambda: len(source.got) == 4)
        await source.settle(0, 1, 2, 3)
    api.answer = lambda query, asked: says(410) if "cursor" in query else api.stream(query)
    async with reading(host, uri("stream") + "") as source:
        await source.until(lambda: len(source.got) >= 3)
        assert [event.level for event in host.events if isinstance(event, Logged)][:1] == ["warning"]
    assert source.ids[:3] == [0, 1, 2]


async def test_nothing_comes_while_nothing_has_changed(host: Any, api: Api, peer: Any, says: Any) -> None:
    """By ETag, also after a restart, once the rows are done."""

    def answer(query: Any, asked: Any) -> Any:
        if asked.headers.get("if-none-match") == '"v1"':
            return says(304)
        return says(200, b'[{"id": 1}, {"id": 2}]', {"etag": '"v1"'})

    api.answer = answer
    whole = f"{peer.url}/x?name=rows&poll=10ms"
    async with reading(host, whole) as source:
        await source.until(lambda: source.rests > 3)
        assert source.ids == [1, 2], "the next look waits for these"
        asked = len(peer.asked)
        await source.settle(1, 2)
        await source.until(lambda: len(peer.asked) > asked + 2)
        assert source.ids == []
    async with reading(host, whole) as source:
        await source.until(lambda: source.rests)
        assert source.ids == []


async def test_rows_are_messages(api: Api, setup_with: Any, peer: Any) -> None:
    """Typed, with an id that is the same when they come again; parameters are those of the author."""
    api.answer = lambda query, asked: [{"id": 7, "name": "a"}] if query["state"] == "open" else []
    out = Sink()
    uri = "http:crm/v2/rows?name=crm-rows&query.state=open&headers.x-version=3&poll=10ms"
    run = await run_routes(
        from_(uri, dict[str, Any], policy=Policy(concurrency=4)).to(out),
        setup=setup_with(http__crm={"url": peer.url, "auth": {"kind": "bearer", "token": "t"}}),
    )
    assert run.counts["route-1"].done == 1
    assert (out.messages[0].id, out.messages[0].body) == ("crm-rows/7", {"id": 7, "name": "a"})
    assert (peer.last.path, peer.last.headers["x-version"]) == ("/v2/rows?state=open", "3")
    assert peer.last.headers["authorization"] == "Bearer t"


async def test_an_api_that_is_away_degrades_the_route(api: Api, setup_with: Any, peer: Any, says: Any) -> None:
    """Until it is back; no row is to blame."""
    answers = [says(503), says(404), says(200, b'[{"id": 1}]')]
    api.answer = lambda query, asked: answers.pop(0) if answers else says(304)
    out, setup = Sink(), setup_with()
    async with running(from_(f"{peer.url}/x?name=rows&poll=10ms").to(out), setup=setup):
        with anyio.fail_after(20):
            while not out.bodies:
                await anyio.sleep(0.01)
    errors = [str(event.error) for event in setup.watch.__self__ if isinstance(event, RouteDegraded)]
    assert [text.partition("answered ")[2][:3] for text in errors] == ["503", "404"]


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http:crm/x", "name=... is missing"),
        ("http:crm/x?name=a&paging=cursor", "paging=cursor needs at="),
        ("http:crm/x?name=a&paging=keyset&keys=a", "needs keys=... and size="),
        ("http:crm/x?name=a&paging=keyset&size=5&keys=a", "'a' names nothing"),
        ("http:crm/x?name=a&body=5&method=post", "write a JSON object"),
        ("http://0.0.0.0:80/x?name=a", "to serve, write http:0.0.0.0:80/x"),
        ("http:crm/x?name=a&pagin=page", "did you mean 'paging'?"),
    ],
)
def test_what_is_written_wrong(host_of: Any, uri: str, text: str) -> None:
    """Is found before anything runs."""
    with pytest.raises(BadOption) as caught:
        host_of().catalog.source(Target(uri))
    assert text in str(caught.value)
