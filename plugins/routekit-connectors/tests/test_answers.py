"""What answers mean, and what it means when there is none: each failure says what is known of the outcome."""

import socket
from typing import Any

import pytest

from routekit.remotes import Busy, FeedExpired, Forbidden, Gone, Refused, RemoteError, Stale, Taken, Unclear, Unsent
from routekit_connectors import Answer, Asking, Outcomes, Sign
from routekit_http import client_of

STATUSES = [
    (400, "create", "", Refused),
    (401, "read", "7", Forbidden),
    (403, "update", "7", Forbidden),
    (404, "read", "7", Gone),
    (410, "update", "7", Gone),
    (404, "create", "", Refused),
    (410, "feed", "", FeedExpired),
    (408, "create", "", Unclear),
    (409, "update", "7", Stale),
    (409, "create", "", Taken),
    (412, "update", "7", Stale),
    (422, "update", "7", Refused),
    (423, "update", "7", Unsent),
    (429, "create", "", Busy),
    (500, "create", "", Unclear),
    (503, "create", "", Unclear),
    (301, "create", "", Refused),
]


def answer(status: int, document: Any = None, text: str = "", headers: Any = None, valid: bool = True) -> Answer:
    return Answer(status, headers or {}, document, text, "", valid)


@pytest.mark.parametrize(("status", "doing", "record", "kind"), STATUSES)
def test_a_status_means_what_http_says(status: int, doing: Any, record: str, kind: type[RemoteError]) -> None:
    """Each status becomes exactly one kind of failure, by what was asked for."""
    assert type(Outcomes().error(answer(status), doing, "it", record=record)) is kind


def test_done_is_no_error() -> None:
    """Any status from 200 to 299 is fine, unless its body is no JSON: then nobody knows what a proxy made of it."""
    assert Outcomes().error(answer(204), "delete", "it") is None
    assert type(Outcomes().error(answer(200, None, "<html>", valid=False), "create", "it")) is Unclear


def test_a_wait_that_is_asked_for_is_no_failure() -> None:
    """`Retry-After` makes of 429 and of 503 a wait of so many seconds."""
    for status in (429, 503):
        error = Outcomes().error(answer(status, headers={"retry-after": "7"}), "create", "it")
        assert isinstance(error, Busy)
        assert error.after == 7.0


def test_an_error_in_an_answer_of_200_is_seen() -> None:
    """By a sign, or by a function, whatever the status says."""
    signs = Outcomes(signs=[Sign(Stale, at="error/0", says="Concurrency")])
    assert type(signs.error(answer(200, {"error": ["ConcurrencyException"]}), "update", "it")) is Stale
    assert signs.error(answer(200, {"result": 1}), "update", "it") is None
    judged = Outcomes(judge=lambda said, doing: Refused("no") if said.document["ok"] is False else None)
    assert type(judged.error(answer(200, {"ok": False}), "update", "it")) is Refused
    assert judged.error(answer(200, {"ok": True}), "update", "it") is None


def test_a_403_is_told_apart_by_its_body() -> None:
    """A limit that is said by 403 is a wait, and no lack of rights."""
    outcomes = Outcomes(signs=[Sign(Busy, status=(403,), at="0/errorCode", says="REQUEST_LIMIT")])
    limited = answer(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}])
    assert type(outcomes.error(limited, "read", "it", record="7")) is Busy
    assert type(outcomes.error(answer(403, [{"errorCode": "NO"}]), "read", "it", record="7")) is Forbidden


def test_a_refusal_names_its_fields() -> None:
    """Each field that is to blame, with its reason as a text."""
    outcomes = Outcomes(errors=["errors"])
    error = outcomes.error(answer(400, {"errors": {"email": ["not valid", "too long"], "x": "no"}}), "create", "it")
    assert isinstance(error, Refused)
    assert error.fields == {"email": "not valid; too long", "x": "no"}


def test_a_key_that_is_taken_names_who_has_it() -> None:
    """By a place in the document, or by the header that leads there."""
    placed = Outcomes(signs=[Sign(Taken, status=(400,), at="code", says="duplicate")], ids=["existing"])
    error = placed.error(answer(400, {"code": "duplicate", "existing": 12}), "create", "it")
    assert isinstance(error, Taken)
    assert error.ids == ("12",)
    led = Outcomes(signs=[Sign(Taken, status=(400,), header="location")])
    error = led.error(answer(400, headers={"location": "https://x/contacts/9/"}), "create", "it")
    assert isinstance(error, Taken)
    assert error.ids == ("9",)


def test_the_text_of_an_error_is_one_short_line() -> None:
    """A page of HTML does not fill the log, and no control character reaches a terminal."""
    error = Outcomes().error(answer(500, text="a\x1b[31m\n" + "b" * 5000), "create", "it")
    assert error is not None
    assert len(str(error)) < 400
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.anyio
async def test_no_answer_says_what_is_known(peer: Any, host: Any) -> None:
    """A server that nobody reaches has certainly done nothing; one that hangs up may have done all of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host.tables["http", "off"] = {"url": f"http://127.0.0.1:{probe.getsockname()[1]}"}
        off = Asking(await client_of(host, "off"), Outcomes(), host.now)
        with pytest.raises(Unsent):
            await off.ask("POST", "x", doing="create", document={})
    host.tables["http", "crm"] = {"url": peer.url}
    crm = Asking(await client_of(host, "crm"), Outcomes(), host.now)
    peer.answer = lambda asked: None
    with pytest.raises(Unclear):
        await crm.ask("POST", "x", doing="create", document={})


@pytest.mark.anyio
async def test_a_wait_holds_for_the_whole_connection(peer: Any, host: Any, says: Any) -> None:
    """After a `Retry-After` the next call is not sent at all while that is longer than the connection waits."""
    host.tables["http", "crm"] = {"url": peer.url, "max_wait": "1s"}
    crm = Asking(await client_of(host, "crm"), Outcomes(), host.now)
    peer.answer = lambda asked: says(429, {}, {"retry-after": "60"})
    with pytest.raises(Busy) as first:
        await crm.ask("GET", "x")
    with pytest.raises(Busy) as second:
        await crm.ask("GET", "x")
    assert first.value.after == 60.0
    assert 50.0 < second.value.after <= 60.0
    assert len(peer.asked) == 1


@pytest.mark.anyio
async def test_a_connection_that_only_reads_refuses_writes(peer: Any, host: Any) -> None:
    """It is refused for good, before the network."""
    host.tables["http", "crm"] = {"url": peer.url, "read_only": True}
    crm = Asking(await client_of(host, "crm"), Outcomes(), host.now)
    with pytest.raises(Refused, match="read_only"):
        await crm.ask("POST", "x", doing="create", document={})
    assert peer.asked == []
