"""The sink: what is sent, and what comes back."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import BodyError
from routekit_http import HttpAnswer, HttpRejected, HttpSink

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    id: int
    placed: date


@dataclass
class Lead:
    email: str


@pytest.fixture
def crm(peer: Any, host: Any) -> Any:
    """The settings of a connection to the server."""
    host.tables["http", "crm"] = {"url": f"{peer.url}/v1", "headers": {"X-Client": "routekit"}}
    return host


async def test_a_body_is_sent_as_json_and_the_answer_comes_back(crm: Any, peer: Any, says: Any) -> None:
    """Models, dataclasses and plain data are JSON; the answer has body, status and some headers."""
    peer.answer = says(
        201, b'{"id": 7}', {"content-type": "application/json", "location": "/v1/orders/7", "x-other": "1"}
    )
    send = await crm.sink("http:crm/orders")
    answer = await send(Order(id=7, placed=date(2026, 1, 2)), headers={"authorization": "evil", "x": "y"})
    assert (peer.last.method, peer.last.path) == ("POST", "/v1/orders")
    assert peer.last.body == b'{"id":7,"placed":"2026-01-02"}'
    assert peer.last.headers["content-type"] == "application/json"
    assert peer.last.headers["x-client"] == "routekit"
    assert not {"authorization", "x"} & set(peer.last.headers), "no header of a message is forwarded by itself"
    assert answer.body == b'{"id": 7}'
    assert answer.headers == {
        "authorization": "evil",
        "x": "y",
        "http.status": 201,
        "http.content-type": "application/json",
        "http.location": "/v1/orders/7",
    }


async def test_a_whole_url_needs_no_settings(host: Any, peer: Any) -> None:
    """The path of the URI is plain text, and query parameters are options."""
    send = await host.sink(f"{peer.url}/a b/ü?query.limit=10&query.q=a%26b&method=get")
    await send({"not": "sent"})
    assert (peer.last.method, peer.last.path) == ("GET", "/a%20b/%C3%BC?limit=10&q=a%26b")
    assert peer.last.body == b""
    assert "content-type" not in peer.last.headers


async def test_values_in_a_path_stay_one_segment(crm: Any, peer: Any) -> None:
    """Whatever a value holds, it asks for nothing else."""
    send = await crm.sink("http:crm/contacts/{id}/notes-{n}?method=put")
    await send({}, path={"id": "../admin?x=1#y", "n": 3})
    assert peer.last.path == "/v1/contacts/..%2Fadmin%3Fx=1%23y/notes-3"
    for value in ("..", ".", ""):
        with pytest.raises(HttpRejected, match="cannot be a part of a path"):
            await send({}, path={"id": value, "n": 1})
    with pytest.raises(HttpRejected, match="path gives no 'n'"):
        await send({}, path={"id": "x"})
    more = await crm.sink("http:crm/files")
    await more({}, path="a/b c")
    assert peer.last.path == "/v1/files/a/b%20c"
    with pytest.raises(HttpRejected, match="cannot be a part"):
        await more({}, path="../../admin")


async def test_options_for_each_message(crm: Any, peer: Any) -> None:
    """Method, query, headers and body may be computed; fixed ones stay."""
    send = await crm.sink("http:crm/x?query.a=1&headers.accept=text/csv")
    options = {"method": "PATCH", "query": {"b": [1, True], "none": None}, "computed": {"X-Trace": "t"}}
    await send("unused", **options, body={"n": 1})
    assert (peer.last.method, peer.last.path) == ("PATCH", "/v1/x?a=1&b=1&b=true")
    assert (peer.last.headers["accept"], peer.last.headers["x-trace"]) == ("text/csv", "t")
    assert peer.last.body == b'{"n":1}'


async def test_headers_are_forwarded_by_name(crm: Any, peer: Any) -> None:
    """Those that the author names, and no others."""
    send = await crm.sink("http:crm/x?forward=traceparent,X-Request-Id")
    await send(b"", headers={"traceparent": "00-1", "x-request-id": 5, "cookie": "c"})
    assert (peer.last.headers["traceparent"], peer.last.headers["x-request-id"]) == ("00-1", "5")
    assert "cookie" not in peer.last.headers


async def test_a_trace_goes_on_if_something_follows_the_message(crm: Any, peer: Any) -> None:
    """Only then is its header sent without being named: else it is somebody else's, as any other."""
    send = await crm.sink("http:crm/x")
    await send(b"", headers={"traceparent": "00-1", "cookie": "c"})
    assert "traceparent" not in peer.last.headers
    await send(b"", headers={"traceparent": "00-1", "cookie": "c"}, trace=object())
    assert peer.last.headers["traceparent"] == "00-1"
    assert "cookie" not in peer.last.headers


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "\x00", "ü"])
async def test_a_header_is_one_line(crm: Any, peer: Any, value: str) -> None:
    """A value that would be more is refused, and nothing is sent."""
    send = await crm.sink("http:crm/x")
    with pytest.raises(HttpRejected, match="one line of ASCII"):
        await send(b"", computed={"x-a": value})
    assert peer.asked == []


@pytest.mark.parametrize(
    ("body", "options", "type_", "sent"),
    [
        (b"\x00\x01", {}, "application/octet-stream", b"\x00\x01"),
        ("grüß", {}, "text/plain; charset=utf-8", "grüß".encode()),
        (Lead("a@x"), {}, "application/json", b'{"email":"a@x"}'),
        ([1, 2], {"content": "json"}, "application/json", b"[1,2]"),
        (b'{"a":1}', {"content": "json"}, "application/json", b'{"a":1}'),
        ({"a": "ä&", "b": [1, 2]}, {"content": "form"}, "application/x-www-form-urlencoded", b"a=%C3%A4%26&b=1&b=2"),
        ([{"a": 1}], {"codec": "csv"}, "text/csv", b"a\r\n1\r\n"),
        ({"a": 1}, {"content": "none"}, None, b""),
        (b"<a/>", {"content_type": "application/xml"}, "application/xml", b"<a/>"),
        (None, {}, None, b""),
    ],
)
async def test_what_a_body_is_sent_as(
    crm: Any, peer: Any, body: Any, options: Any, type_: str | None, sent: bytes
) -> None:
    """By its class, or as the author says."""
    send = await crm.sink("http:crm/x", **options)
    await send(body)
    assert (peer.last.headers.get("content-type"), peer.last.body.replace(b"\r\n", b"\n")) == (
        type_,
        sent.replace(b"\r\n", b"\n"),
    )


async def test_files_and_streams_are_sent_in_chunks(crm: Any, peer: Any, tmp_path: Path, streamed: Any) -> None:
    """A file with its length, a stream without."""
    file = tmp_path / "big.bin"
    file.write_bytes(b"x" * 300_000)
    send = await crm.sink("http:crm/x")
    await send(file)
    assert (peer.last.headers["content-length"], len(peer.last.body)) == ("300000", 300_000)
    await send(b"y" * 3_000_000)
    assert (peer.last.headers["content-length"], peer.last.body) == ("3000000", b"y" * 3_000_000)
    await send(streamed(b"a", b"b"))
    assert (peer.last.headers["transfer-encoding"], peer.last.body) == ("chunked", b"ab")
    with pytest.raises(BodyError, match="cannot be read"):
        await send(tmp_path / "missing")


async def test_a_form_of_several_parts(crm: Any, peer: Any, tmp_path: Path) -> None:
    """Files have their names and types; a name cannot break out of its quotes."""
    file = tmp_path / "invoice.pdf"
    file.write_bytes(b"%PDF" * 50_000)
    send = await crm.sink("http:crm/x?content=multipart")
    await send({"kind": "in\r\nvoice", 'a"b': [1, 2], "file": file, "raw": b"\x01", "none": None})
    from email.parser import BytesParser
    from email.policy import HTTP

    head = f"content-type: {peer.last.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + peer.last.body)
    parts = [
        (part.get_param("name", header="content-disposition"), part.get_filename(), part.get_payload(decode=True))
        for part in message.iter_parts()  # type: ignore[attr-defined]
    ]
    assert [(name, filename, len(data)) for name, filename, data in parts] == [
        ("kind", None, 9),
        ("a%22b", None, 1),
        ("a%22b", None, 1),
        ("file", "invoice.pdf", 200_000),
        ("raw", "raw", 1),
    ]
    assert peer.last.headers["content-length"] == str(len(peer.last.body))


async def test_an_answer_is_saved_to_a_file(crm: Any, peer: Any, says: Any, tmp_path: Path) -> None:
    """It has its name once it is whole; a broken one leaves nothing behind."""
    peer.answer = says(200, chunks=[b"a" * 100_000, b"b"])
    send = await crm.sink("http:crm/report?method=get&max_answer=1MB")
    answer = await send(save=tmp_path / "report.bin")
    assert answer.body == tmp_path / "report.bin"
    assert answer.body.read_bytes() == b"a" * 100_000 + b"b"
    peer.answer = says(200, chunks=[b"half", None], headers={"content-length": "1000"})
    with pytest.raises(Exception, match="GET"):
        await send(save=tmp_path / "broken.bin")
    left = sorted(file.name for file in tmp_path.glob("*.bin*"))  # noqa: ASYNC240 - a test may look at a file
    assert left == ["report.bin"]


async def test_a_whole_answer_on_request(crm: Any, peer: Any, says: Any) -> None:
    """Status, headers and body as a value."""
    peer.answer = says(207, b"[]", {"X-Total": "3"})
    send = await crm.sink("http:crm/x?result=full")
    answer = await send({})
    assert isinstance(answer.body, HttpAnswer)
    assert (answer.body.status, answer.body.headers["x-total"], answer.body.text) == (207, "3", "[]")


@pytest.mark.parametrize(("status", "options"), [(204, ""), (404, "&absent=404"), (304, "")])
async def test_there_may_be_no_answer(crm: Any, peer: Any, says: Any, status: int, options: str) -> None:
    """Then `enrich` takes what stands for it."""
    peer.answer = says(status)
    send = await crm.sink(f"http:crm/x?method=get{options}")
    assert await send() is None


async def test_conditions_and_keys(crm: Any, peer: Any) -> None:
    """A key by the message's id is the same over redelivery, and another for another message or sink."""
    send = await crm.sink("http:crm/x?idempotency_key=message")
    await send({}, id="a", if_match='"v1"', if_none_match="*")
    await send({}, id="a")
    await send({}, id="b")
    other = await crm.sink("http:crm/y?idempotency_key=message&idempotency_header=X-Request-Id")
    await other({}, id="a")
    await send({}, id="a", idempotency_key="mine")
    keys = [asked.headers.get("idempotency-key", asked.headers.get("x-request-id")) for asked in peer.asked]
    assert keys[0] == keys[1]
    assert len({keys[0], keys[2], keys[3]}) == 3
    assert keys[4] == "mine"
    assert (peer.asked[0].headers["if-match"], peer.asked[0].headers["if-none-match"]) == ('"v1"', "*")


async def test_connections_are_shared_and_kept(crm: Any, peer: Any) -> None:
    """Two sinks of one connection use one pool, whose connections are used again; cookies are nobody's."""
    peer.answer = lambda asked: _cookie()
    one, other = await crm.sink("http:crm/x"), await crm.sink("http:crm/y")
    for send in (one, other, one):
        await send({})
    assert peer.connections == 1
    assert all("cookie" not in asked.headers for asked in peer.asked)


def _cookie() -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(status=200, body=b"", headers={"set-cookie": "session=1; path=/"}, chunks=None)


async def test_as_many_connections_as_the_settings_say(crm: Any, peer: Any, says: Any) -> None:
    """Further requests wait for one."""
    crm.tables["http", "crm"]["connections"] = 2

    async def slow(asked: Any) -> Any:
        await anyio.sleep(0.02)
        return says()

    peer.answer = slow
    send = await crm.sink("http:crm/x")
    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(send, {})
    assert (peer.most, len(peer.asked)) == (2, 6)


@pytest.mark.parametrize(
    ("options", "again"),
    [
        ({}, False),
        ({"method": "patch"}, False),
        ({"method": "put"}, True),
        ({"method": "delete"}, True),
        ({"idempotency_key": "message"}, True),
    ],
)
def test_what_is_promised_follows_the_method(options: dict[str, str], again: bool) -> None:
    """What PUT and DELETE do is the same after the second time; what POST does, by a key that the API knows."""
    assert HttpSink.of("//shop.example/orders", options).promises().idempotent is again
