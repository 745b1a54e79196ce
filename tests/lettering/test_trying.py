"""A dry run: what a replay would do, without doing any of it."""

from pathlib import Path
from typing import Any

import pytest

from routekit import Policy, Retry, UnknownName, from_
from routekit.letter import Letter
from routekit.lettering.trying import dry_run
from routekit.testing import Feed, routes_of

from .letters import audited, letter, stored

pytestmark = pytest.mark.anyio


async def test_what_would_be_sent_where(tmp_path: Path) -> None:
    """Each send with its target, body, headers and computed options, in order; and the letter is as it was."""
    routes = routes_of(
        r=from_(Feed(), int)
        .idempotent("seen", key=str)
        .transform(lambda n: {"n": n})
        .to(f"file:{tmp_path}", name=lambda body: f"{body['n']}.json")
        .to("direct:inner"),
        inner=from_("direct:inner", dict[str, int]).to("rabbitmq:sales"),
    )
    async with stored(letter(7)) as (store, setup):
        trial = await dry_run(letter(7), routes, setup)
        assert (trial.letter, trial.route, trial.result) == ("l7", "r", "done")
        first, second = trial.sends
        assert (first.to, first.route, first.body) == (f"file:{tmp_path}", "r", {"n": 7})
        assert (first.headers, first.options) == ({"from": "outside"}, {"name": "7.json"})
        assert (second.to, second.route, second.body) == ("rabbitmq:sales", "inner", {"n": 7})
        assert list(tmp_path.iterdir()) == []
        assert await store.letters.get("l7") == letter(7)
        assert [held.kind for held in await store.contents()] == ["letters"]
        assert await audited(store) == []


async def test_that_it_would_fail() -> None:
    """With the error, the step, and what was sent before it."""
    flow = from_(Feed(), int, policy=Policy(retry=Retry(3))).to("rabbitmq:first").transform(lambda n: n // 0)
    async with stored() as (_, setup):
        trial = await dry_run(letter(1), routes_of(r=flow.to("rabbitmq:second")), setup)
        assert (trial.result, trial.error, trial.step) == ("failed", "ZeroDivisionError", "transform(n // 0)")
        assert {sent.to for sent in trial.sends} == {"rabbitmq:first"}


async def test_answers() -> None:
    """What a sink is to answer may be given, or that it fails."""
    flow = (
        from_(Feed(), int)
        .enrich("http://crm/customers", answer=dict[str, bool], merge=lambda n, got: {"n": n, **got})
        .to("rabbitmq:out")
    )
    async with stored() as (_, setup):
        without = await dry_run(letter(1), routes_of(r=flow), setup)
        assert (without.result, without.error) == ("failed", "NoAnswer")
        trial = await dry_run(letter(1), routes_of(r=flow), setup, {"http:*": {"vip": True}})
        assert (trial.result, trial.sends[-1].body) == ("done", {"n": 1, "vip": True})
        trial = await dry_run(letter(1), routes_of(r=flow), setup, {"http:*": OSError("away")})
        assert (trial.error, trial.reason, trial.sends[0].error) == ("OSError", "away", "OSError: away")


async def test_a_part_goes_in_as_a_part() -> None:
    """It is not taken apart again."""
    flow = from_(Feed(), list[int]).split(lambda ns: ns, on_error="dead_letter_items").to("rabbitmq:out")
    async with stored() as (_, setup):
        trial = await dry_run(letter(5, entry=1), routes_of(r=flow), setup)
        assert [sent.body for sent in trial.sends] == [5]


async def test_bytes_are_shown() -> None:
    """As a letter keeps them."""
    async with stored() as (_, setup):
        trial = await dry_run(letter(1, {"base64": "/w=="}), routes_of(r=from_(Feed(), bytes).to("rabbitmq:x")), setup)
        assert trial.sends[0].body == {"base64": "/w=="}
        trial.model_dump_json()


async def test_no_plugin_hears_of_it() -> None:
    """Else what watches failures would ring for nothing."""
    heard: list[Any] = []
    async with stored() as (_, setup):
        object.__setattr__(setup, "watch", heard.append)
        await dry_run(letter(1), routes_of(r=from_(Feed(), int).transform(lambda n: n // 0)), setup)
    assert heard == []


async def test_a_route_that_is_gone() -> None:
    """Is told."""
    async with stored() as (_, setup):
        with pytest.raises(UnknownName, match="did you mean 'r'"):
            await dry_run(letter(1, route="rr"), routes_of(r=from_(Feed(), int)), setup)


async def test_it_needs_no_more_than_the_letter() -> None:
    """It may be one that the store does not have, such as an edit that is being thought of."""
    thought: Letter = letter(1, 9)
    async with stored(letter(1)) as (_, setup):
        trial = await dry_run(thought, routes_of(r=from_(Feed(), int).to("rabbitmq:x")), setup)
        assert [sent.body for sent in trial.sends] == [9]
