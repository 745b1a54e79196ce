"""`records:`: the records of a system as messages, each once for each change; and bodies written as records."""

from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from routekit import BodyError, Flow, Policy, from_
from routekit.remotes import Feed, Refused, Taken
from routekit.testing import Feed as Bodies
from routekit.testing import Run, Sink, run_routes, running, setup_for, virtual
from routekit.testing.remote import FakeRemote, Knobs
from routekit_sync import RecordSink, RecordSource

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return virtual(request.param)


FEEDS = [Knobs(), Knobs(feed=Feed.TOKEN, token_life=25.0), Knobs(feed=Feed.NONE), Knobs(page_size=1, granularity=1.0)]


def remote(knobs: Knobs | None = None) -> FakeRemote:
    return FakeRemote("crm", knobs or Knobs(), now=anyio.current_time, random=Random(1))


def source(of: FakeRemote) -> Flow[dict[str, Any]]:
    return from_(RecordSource(remote=of, name="people", every=10.0), dict[str, Any], policy=Policy(concurrency=2))


async def names(of: FakeRemote, out: Sink, seconds: float = 25.0) -> list[str]:
    """What came until now."""
    await anyio.sleep(seconds)
    return sorted(body["name"] for body in out.bodies)


@pytest.mark.parametrize("knobs", FEEDS, ids=["stamps", "tokens", "none", "pages"])
async def test_a_record_comes_when_it_is_new_and_when_it_changes(knobs: Knobs) -> None:
    """Once each, whatever the system tells of its changes, and one that is deleted does not come."""
    crm, out = remote(knobs), Sink()
    async with running(source(crm).to(out), setup=setup_for(Run())):
        await anyio.sleep(1)
        ada, bob = crm.system.user_create({"name": "Ada"}), crm.system.user_create({"name": "Bob"})
        assert await names(crm, out) == ["Ada", "Bob"]
        crm.system.user_edit(ada, {"name": "Eve"})
        crm.system.user_delete(bob)
        assert await names(crm, out) == ["Ada", "Bob", "Eve"]
        assert await names(crm, out, 100.0) == ["Ada", "Bob", "Eve"]
    assert {body["id"] for body in out.bodies} == {ada, bob}


async def test_a_record_that_was_refused_comes_again() -> None:
    """With the same id, until it is done; the others are not held up."""
    crm, out = remote(), Sink(fail={1: ValueError("no")})
    crm.system.user_create({"name": "Ada"})
    crm.system.user_create({"name": "Bob"})
    route = from_(
        RecordSource(remote=crm, name="people", every=10.0), dict[str, Any], policy=Policy(dead_letter="refuse")
    ).to(out)
    async with running(route, setup=setup_for(Run())):
        assert await names(crm, out, 60.0) == ["Ada", "Bob"]


async def test_what_was_done_does_not_come_after_a_restart(tmp_path: Path) -> None:
    """It is remembered in the store; what changed meanwhile comes."""
    crm, setup = remote(), setup_for(Run(), store=f"sqlite:{tmp_path}/state.db")
    ada = crm.system.user_create({"name": "Ada"})
    for name, expected in (("Ada", ["Ada"]), ("Ada", ["Bob"]), ("Eve", ["Eve"])):
        out = Sink()
        crm.system.user_edit(ada, {"name": name})
        if expected == ["Bob"]:
            crm.system.user_create({"name": "Bob"})
        async with running(source(crm).to(out), setup=setup):
            while not out.bodies:  # the store takes its time in a thread
                await anyio.sleep(1)
        assert [body["name"] for body in out.bodies] == expected


def asked(of: FakeRemote, bodies: list[Any], sink: RecordSink, **options: Any) -> tuple[Flow[Any], Sink]:
    """A route that sends bodies to a system, and keeps the answers."""
    out = Sink()
    return from_(Bodies(bodies), dict[str, Any]).enrich(sink, answer=Any, **options).to(out), out


async def test_upserts_change_what_is_there() -> None:
    """One that is not found is made, another changed where it differs, and the answer is the record."""
    crm = remote(Knobs(findable=["email"]))
    bodies = [{"email": "a@x", "name": "Ada"}, {"email": "a@x", "name": "Eve"}, {"email": "a@x", "name": "Eve"}]
    route, out = asked(crm, bodies, RecordSink(remote=crm, mode="upsert", by="email"))
    await run_routes(route)
    assert [op for op, _, _ in crm.system.writes] == ["create", "update"]
    assert [(body["name"], body["id"]) for body in out.bodies] == [
        (name, next(iter(crm.system.records))) for name in ("Ada", "Eve", "Eve")
    ]


async def test_two_that_could_be_meant_are_refused() -> None:
    """Nothing is written if two records have the key."""
    crm = remote(Knobs(findable=["email"]))
    crm.system.user_create({"email": "a@x"})
    crm.system.user_create({"email": "a@x"})
    route, _ = asked(crm, [{"email": "a@x", "name": "Ada"}], RecordSink(remote=crm, mode="upsert", by="email"))
    run = await run_routes(route)
    assert run.letters[0].error == Taken.__name__
    assert crm.system.writes == []


async def test_records_are_found_got_changed_and_deleted() -> None:
    """By an option that is computed, or by the body's own id; what is not there is None."""
    crm = remote(Knobs(findable=["email"]))
    ada = crm.system.user_create({"email": "a@x", "name": "Ada"})
    now = {"email": "a@x", "name": "Ada", "id": ada}
    own = {"id": lambda body: body["ref"]}  # pyright: ignore[reportUnknownLambdaType]  # of any body
    for options, body, computed, expected in (
        ({"mode": "find", "by": "email"}, {"email": "a@x"}, {}, [now]),
        ({"mode": "get"}, {"ref": ada}, own, now),
        ({"mode": "update"}, {"id": ada, "name": "Eve"}, {}, {**now, "name": "Eve"}),
    ):
        route, out = asked(crm, [body], RecordSink(remote=crm, **options), **computed)
        await run_routes(route)
        assert out.bodies == [expected]
    await run_routes(from_(Bodies([{"id": ada}]), dict[str, Any]).to(RecordSink(remote=crm, mode="delete")))
    assert not crm.system.records


@pytest.mark.parametrize(
    ("sink", "error"),
    [
        ({"mode": "update"}, "does not say which record"),
        ({"mode": "upsert", "by": "email"}, "the body has no 'email'"),
    ],
)
async def test_a_body_that_says_too_little_is_a_dead_letter(sink: dict[str, Any], error: str) -> None:
    """With the reason, and nothing is asked of the system."""
    crm = remote()
    route, _ = asked(crm, [{"name": "Ada"}], RecordSink(remote=crm, **sink))
    run = await run_routes(route)
    assert (run.letters[0].error, error in run.letters[0].reason) == (BodyError.__name__, True)
    assert crm.system.calls == {}


async def test_a_refusal_names_the_field() -> None:
    """The reason of the system for each field is in the text of the error."""
    crm = remote(Knobs(refuses=lambda fields: {"name": "too long"}))
    route, _ = asked(crm, [{"name": "Ada"}], RecordSink(remote=crm, mode="create"))
    run = await run_routes(route)
    assert run.letters[0].error == Refused.__name__
    assert "name: too long" in run.letters[0].reason
