"""Server-sent events: as a source, as a sink, and both together."""

from contextlib import aclosing
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import Policy, RouteDegraded, from_
from routekit.testing import Inlet, Run, Sink, running, setup_for
from routekit_http.events.parsing import Event, Parser, TooLong, written

pytestmark = pytest.mark.anyio

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]))


@given(st.lists(st.tuples(TEXT, TEXT, TEXT)), st.integers(1, 50))
def test_what_is_written_is_read(events: list[tuple[str, str, str]], size: int) -> None:
    """However it is cut into chunks."""
    data = b"".join(written(data or "x", type=type_, id=id_) for data, type_, id_ in events)
    parser = Parser(1 << 20)
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    found = [event for chunk in chunks for event in parser.feed(chunk)]
    assert [(event.data, event.type) for event in found] == [
        (data or "x", type_ or "message") for data, type_, _ in events
    ]
    assert [event.id for event in found if event.own] == [id_ for _, _, id_ in events if id_]


def test_streams_as_others_write_them() -> None:
    """Comments, all ends of lines, no blank behind a colon, a retry; an event without data is none."""
    parser = Parser(100)
    chunks = [b"\xef\xbb\xbf: hi\r", b"\ndata:a\rdata\r\ndata: b\r\n\r\nretry: 1500\nevent: x\n\nid: 7\ndata: c\n\n"]
    found = [event for chunk in chunks for event in parser.feed(chunk)]
    assert found == [Event("message", "a\n\nb", "", False), Event("message", "c", "7", True)]
    assert parser.retry == 1.5


@pytest.mark.parametrize("line", [b"data: " + b"x" * 200, b"data: xx\n" * 100])
def test_an_event_is_bounded(line: bytes) -> None:
    """Whether it is one long line or many."""
    with pytest.raises(TooLong):
        list(Parser(100).feed(line))


async def soon(holds: Any) -> None:
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.002)


async def test_a_stream_is_opened_again_where_it_was(peer: Any, says: Any, setup_with: Any) -> None:
    """By the id of the last event that was done, in another life of the service too."""
    head = {"content-type": "text/event-stream; charset=utf-8"}
    bodies = [b"retry: 1\nid: 1\ndata: 1\n\nid: 2\nevent: other\ndata: 2\n\n", b"id: 3\ndata: 3\n\n"]
    peer.answer = lambda _: says(200, bodies.pop(0), head) if bodies else says(204)
    setup = setup_with(http__crm={"url": peer.url, "auth": {"kind": "bearer", "token": "t"}})
    out = Sink()
    flow = from_("sse:crm/stream?name=s&events=message&query.a=b", int).to(out)
    async with running(flow, setup=setup):
        await soon(lambda: len(peer.asked) == 3)
    assert out.bodies == [1, 3]
    assert [message.id for message in out.messages] == ["s/1", "s/3"]
    assert dict(out.messages[0].headers) == {"sse.event": "message", "sse.id": "1"}
    assert [asked.headers.get("last-event-id") for asked in peer.asked] == [None, "2", "3"]
    assert peer.last.path == "/stream?a=b"
    assert peer.last.headers["authorization"] == "Bearer t"
    async with running(flow, setup=setup):
        await soon(lambda: len(peer.asked) == 4)
    assert peer.last.headers["last-event-id"] == "3"


async def test_a_refused_event_comes_again(peer: Any, says: Any, setup_with: Any) -> None:
    """And those behind it, since the stream is opened again from the last one that is done."""
    head = {"content-type": "text/event-stream"}

    def answer(asked: Any) -> Any:
        last = int(asked.headers.get("last-event-id", "0"))
        body = b"retry: 1\n" + b"".join(written(str(n), id=str(n)) for n in range(last + 1, 4))
        return says(200, body, head) if last < 3 else says(204)

    peer.answer = answer
    seen: list[int] = []

    def handle(number: int) -> int:
        seen.append(number)
        if seen.count(2) == 1 and number == 2:
            raise ValueError("not now")
        return number

    flow = from_(f"sse://127.0.0.1:{peer.port}/?name=s&retry=1ms", int, policy=Policy(dead_letter="refuse"))
    async with running(flow.transform(handle), setup=setup_with()):
        await soon(lambda: seen.count(3) and seen.count(2) == 2)
        await soon(lambda: peer.last.headers.get("last-event-id") == "3")
    assert seen[:3] == [1, 2, 2]


@pytest.mark.parametrize(
    ("status", "type_", "text"),
    [
        (200, "text/html", "answered 200 text/html"),
        (500, "text/event-stream", "answered 500"),
        (404, "", "answered 404"),
    ],
)
async def test_what_is_no_stream(peer: Any, says: Any, setup_with: Any, status: int, type_: str, text: str) -> None:
    """Degrades the route, which tries again."""
    peer.answer = says(status, b"", {"content-type": type_})
    run = Run()
    async with running(from_(f"sse://127.0.0.1:{peer.port}/?name=s", str), setup=setup_for(run)):
        await soon(lambda: run.of(RouteDegraded))
    assert text in str(run.of(RouteDegraded)[0].error)


async def test_silence_is_a_broken_stream(serve: Any, says: Any, setup_with: Any) -> None:
    """It is opened again."""
    head = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    async with serve(lambda _: says(headers=head, chunks=[b": hi\n", anyio.sleep_forever])) as peer:
        flow = from_(f"sse://127.0.0.1:{peer.port}/?name=s&silence=20ms&retry=1ms", str)
        async with running(flow, setup=setup_with()):
            await soon(lambda: len(peer.asked) >= 3)


async def test_a_stream_that_breaks_in_the_middle(serve: Any, says: Any, setup_with: Any) -> None:
    """Is opened again; an event that was not whole is none."""
    head = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    out = Sink()
    async with serve(lambda _: says(headers=head, chunks=[b"id: 1\ndata: a\n\ndata: half\n", None])) as peer:
        flow = from_(f"sse://127.0.0.1:{peer.port}/?name=s&retry=1ms", str).to(out)
        async with running(flow, setup=setup_with()):
            await soon(lambda: len(peer.asked) >= 2)
    assert {*out.bodies} == {"a"}
    assert peer.asked[1].headers["last-event-id"] == "1"


ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""uvicorn needs it."""


class Heard:
    """Who listens, and what was heard."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.raw = b""
        self.answer: httpx.Response | None = None

    async def listen(self, url: str, headers: Any = None) -> None:
        parser = Parser(1 << 20)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=10) as client,
            client.stream("GET", url, headers=headers) as self.answer,
            aclosing(self.answer.aiter_bytes()) as chunks,
        ):
            async for chunk in chunks:
                self.raw += chunk
                self.events += parser.feed(chunk)

    @property
    def data(self) -> list[str]:
        return [event.data for event in self.events]


@ON_ASYNCIO
async def test_all_who_listen_get_each_event(free_port: int, setup_with: Any) -> None:
    """And who comes back gets what it has missed; two routes may send to one stream."""
    one, other, heard = Inlet(), Inlet(), [Heard() for _ in range(4)]
    url = f"http://127.0.0.1:{free_port}/events"
    to = f"sse:127.0.0.1:{free_port}/events?heartbeat=5ms"
    first = from_(one).to(to, event=lambda body: body["kind"])
    second = from_(other, bytes).to(to)
    async with running(first, second, setup=setup_with()), anyio.create_task_group() as tasks:
        assert await one.give({"kind": "early"}, id="0") is not None
        tasks.start_soon(heard[0].listen, url)
        tasks.start_soon(heard[1].listen, url)
        await soon(lambda: heard[0].raw.count(b":") > 2 and heard[1].raw)
        await one.give({"kind": "paid", "id": 1}, id="1")
        await other.give(b"two\nlines", id="a\nb")
        await soon(lambda: len(heard[0].events) == len(heard[1].events) == 2)
        tasks.start_soon(heard[2].listen, url, {"last-event-id": "1"})
        tasks.start_soon(heard[3].listen, url, {"last-event-id": "forgotten"})
        await soon(lambda: len(heard[2].events) == 1 and len(heard[3].events) == 3)
        tasks.cancel_scope.cancel()
    assert heard[0].events == [
        Event("paid", '{"kind":"paid","id":1}', "1", True),
        Event("message", "two\nlines", "a%0Ab", True),
    ]
    assert heard[2].data == ["two\nlines"]
    assert heard[0].answer is not None
    assert heard[0].answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert heard[0].answer.headers["cache-control"] == "no-store"


@ON_ASYNCIO
async def test_who_is_too_slow_is_dropped(free_port: int, setup_with: Any) -> None:
    """The route does not wait for it, and a figure tells."""
    inlet, fast = Inlet(), Heard()
    flow = from_(inlet, bytes).to(f"sse:127.0.0.1:{free_port}/events?buffer=2")
    async with running(flow, setup=setup_with()) as service, anyio.create_task_group() as tasks:
        await inlet.give(b"-", id="-")  # then it is up
        async with await anyio.connect_tcp("127.0.0.1", free_port) as slow:
            await slow.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
            tasks.start_soon(fast.listen, f"http://127.0.0.1:{free_port}/events")
            await soon(lambda: fast.raw)
            for number in range(200):
                await inlet.give(b"x" * 100_000, id=str(number))
                await soon(lambda: len(fast.events) == number + 1)  # noqa: B023 - it is awaited here
                if figure(service, "dropped_total"):
                    break
            assert figure(service, "dropped_total") == 1
        tasks.cancel_scope.cancel()


def figure(service: Any, name: str) -> Any:
    (found,) = [one for one in service.figures() if one.name == name]
    return found.value


@ON_ASYNCIO
async def test_a_source_reads_what_a_sink_sends(free_port: int, setup_with: Any) -> None:
    """Through a restart of the route that listens: nothing is lost while the events are kept."""
    inlet, out = Inlet(), Sink()
    sending = from_(inlet, str).to(f"sse:127.0.0.1:{free_port}/events")
    listening = from_(f"sse://127.0.0.1:{free_port}/events?name=s&retry=1ms", bytes).to(out)
    async with running(sending, setup=setup_for(Run())) as service:
        await inlet.give("early", id="early")
        for number in range(3):
            async with running(listening, setup=setup_with()):
                await soon(lambda: figure(service, "listeners") == 1)
                await inlet.give(f"{number}", id=f"{number}")
                await soon(lambda: out.bodies[-1:] == [f"{number}".encode()])  # noqa: B023 - it is awaited here
            await soon(lambda: figure(service, "listeners") == 0)
            await inlet.give(f"missed {number}", id=f"missed {number}")
    assert out.bodies == [b"0", b"missed 0", b"1", b"missed 1", b"2"]


@ON_ASYNCIO
async def test_who_may_listen(free_port: int, setup_with: Any) -> None:
    """With `jwt`, nobody without a token; and no more than `most`."""
    inlet = Inlet()
    jwt = {"issuer": "i", "audience": "a", "secret": "s" * 32, "algorithms": ["HS256"]}
    flow = from_(inlet, bytes).to(f"sse:127.0.0.1:{free_port}/events?jwt=own")
    async with running(flow, setup=setup_with(http_jwt__own=jwt)), httpx.AsyncClient(trust_env=False) as client:
        await inlet.give(b"-")
        assert (await client.get(f"http://127.0.0.1:{free_port}/events")).status_code == 401
        assert (await client.post(f"http://127.0.0.1:{free_port}/events")).status_code == 405
