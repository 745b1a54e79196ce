"""`trace` and `explain`: what they tell of messages that were traced, after the process that traced them has ended."""

import json
import signal
from time import monotonic
from typing import Any

import pytest

from .conftest import PATIENCE, Command

SHOP = '''
"""Leads are greeted, big ones by sales."""

from dataclasses import dataclass, replace
from typing import Annotated

from routekit import Policy, Retry, Sensitive, from_


@dataclass(frozen=True)
class Lead:
    email: Annotated[str, Sensitive("email")]
    total: int = 5
    lines: tuple[int, ...] = ()


LEADS = [Lead("ada@example.org", 5, (1, 2)), Lead("bob@example.org", 5000), Lead("c4n4ry"), Lead("eve@example.org", 7)]
tried = []


def lead(n: int) -> Lead:
    return LEADS[n - 1]


def looked_up(one: Lead) -> Lead:
    if one.total == 7:
        raise ValueError(f"nobody knows {one.email}")
    tried.append(one)
    if len(tried) == 1:
        raise OSError("the CRM is away")
    return replace(one, total=one.total + 1)


leads = (
    from_("timer:leads?every=10ms&repeat=4", int, policy=Policy(trace=True, retry=Retry(1, first=0.0, on=OSError)))
    .transform(lead)
    .filter(lambda lead: "@" in lead.email)
    .transform(looked_up)
    .choice()
    .when(lambda lead: lead.total > 1000, lambda vip: vip.to("direct:sales"))
    .otherwise(lambda rest: rest)
    .split(lambda lead: lead.lines)
    .to("log:line")
)
sales = from_("direct:sales", Lead, policy=Policy(trace=True)).to("log:sales")
'''


@pytest.fixture(scope="module")
def shop(routekit_of_module: Command) -> Command:
    """A folder in which the shop has run to its end."""
    routekit_of_module.write("routes/shop.py", SHOP)
    routekit_of_module("run")
    return routekit_of_module


@pytest.fixture(scope="module")
def ids(shop: Command) -> list[str]:
    """The ids of the leads, the first one first."""
    listed = shop("trace", "shop.leads", "--json").json
    return [one["message"] for one in reversed(listed)]


def explained(shop: Command, message: str, *options: str) -> list[str]:
    """The lines about a lead without their durations."""
    lines = shop("explain", message, *options).out.splitlines()
    return [line.strip().partition(" ms  ")[2].strip() or line.strip() for line in lines]


def test_trace_lists_what_became_of_messages(shop: Command) -> None:
    """The newest first, those of a route alone, or only those that failed."""
    done = shop("trace", "shop.leads")
    assert done.code == 0
    ended = [line.split("shop.leads")[1].strip()[:11].strip() for line in done.out.splitlines()[1:]]
    assert ended == ["dead letter", "ended early", "done", "done"]
    assert "ValueError: nobody knows e***@example.org" in done.out
    assert [one["ended"] for one in shop("trace", "--failed", "--json").json] == ["dead letter"]
    assert len(shop("trace", "--limit", "2", "--json").json) == 2
    assert "no traces" in shop("trace", "shop.other").out


def test_explain_tells_each_decision_with_its_values(shop: Command, ids: list[str]) -> None:
    """Step by step: the tries, what changed, which branch was taken and why, and the parts."""
    lines = explained(shop, ids[0])
    assert lines[1].startswith("shop.leads: done after 2 tries")
    assert """filter("@" in lead.email)  => true: lead.email = 'a***@example.org'""" in lines
    assert "transform(looked_up)  => failed, tried again" in lines
    assert any(line.startswith("OSError: the CRM is away (") for line in lines)
    assert any(line.startswith("try 2") for line in lines)
    assert "total: 5 -> 6" in lines
    assert "choice  => otherwise: lead.total = 6" in lines
    assert "split()  => 2 parts" in lines
    assert lines[-2:] == ["part 1", "to log:line  => sent"]


def test_explain_shows_what_another_route_did_where_it_was_called(shop: Command, ids: list[str]) -> None:
    """The trace of the called route stands at the step that called it."""
    lines = explained(shop, ids[1])
    at = lines.index("to direct:sales  => sent")
    assert lines[at - 1] == "when(lead.total > 1000):"
    assert "choice  => when 1 of 1: lead.total > 1000: lead.total = 5001" in lines
    assert lines[at + 1].startswith("| shop.sales: done")
    assert lines[at + 2].endswith("to log:sales  => sent")


def test_explain_says_where_a_message_ended(shop: Command, ids: list[str]) -> None:
    """Early, with the value that was not as the filter wanted; or as a dead letter, with the error and its place."""
    assert explained(shop, ids[2])[-1] == """filter("@" in lead.email)  => false: lead.email = '***'; ended here"""
    lines = explained(shop, ids[3])
    assert lines[1].startswith("shop.leads: dead letter")
    assert lines[-2] == "transform(looked_up)  => FAILED"
    assert lines[-1].startswith("ValueError: nobody knows e***@example.org (routes/shop.py:")


def test_explain_gives_json_and_bodies(shop: Command, ids: list[str]) -> None:
    """`--json` is the traces whole; `--bodies` shows each body; an id may be cut if it is clear then."""
    whole = shop("explain", ids[0], "--json").json
    assert [one["route"] for one in whole] == ["shop.leads"]
    assert whole[0]["hops"][1]["before"] == {"email": "a***@example.org", "total": 5, "lines": [1, 2]}
    assert any(line.startswith("before: {") for line in explained(shop, ids[0], "--bodies"))
    assert "several begin so: leads-" in shop("explain", "leads-").err


def test_explain_of_a_message_that_nobody_traced_says_why_that_may_be(shop: Command) -> None:
    """What is not there is no crash, and has a hint."""
    done = shop("explain", "nothing-like-it")
    assert done.code == 2
    assert "there is no trace of a message 'nothing-like-it'" in done.err
    assert "Policy(trace=True)" in done.err


def test_no_canary_is_in_the_store_the_log_or_what_is_printed(shop: Command, ids: list[str]) -> None:
    """What is sensitive stands in no file of the store, nor in what is printed about it."""
    said = shop("trace").said + shop("explain", ids[3], "--bodies").said
    assert "c4n4ry" not in said
    assert "ada@" not in said
    files = [path for path in shop.folder.glob("data/**/*") if path.is_file()]
    assert files
    assert not any(b"c4n4ry" in path.read_bytes() for path in files)


def test_traces_are_read_while_the_service_runs_and_after_it_was_killed(routekit: Command) -> None:
    """What was written before a SIGKILL can be read after it; `trace` may be asked while the daemon runs."""
    routekit.write(
        "routes/a.py",
        "from routekit import Policy, from_\n\n"
        'ticks = from_("timer:t?every=5ms", int, policy=Policy(trace=True)).to("mock:out")\n',
    )
    running = routekit.start("serve")
    end = monotonic() + PATIENCE
    before: list[dict[str, Any]] = []
    while not before and monotonic() < end:
        done = routekit("trace", "--json", "--limit", "1000")  # there is no store yet, at first
        before = done.json if done.code == 0 else []
    assert before
    running.signal(signal.SIGKILL)
    running.ended()
    after = {one["message"] for one in routekit("trace", "--json", "--limit", "10000").json}
    assert {one["message"] for one in before} <= after
    shown: list[dict[str, Any]] = routekit("explain", before[-1]["message"], "--json").json
    assert json.dumps(shown[0]["hops"][0]["step"]) == '"to mock:out"'


def test_the_settings_trace_all_routes_and_name_what_is_private(routekit: Command) -> None:
    """`trace = true` holds for routes that say nothing else; `[privacy] keys` are masked besides."""
    routekit.write(
        "routes/a.py",
        "from routekit import Policy, from_\n\n"
        'one = from_("timer:t?repeat=1", int).transform(lambda n: {"shoe": "c4n4ry"}).to("mock:out")\n'
        'two = from_("timer:t?repeat=1", int, policy=Policy(trace=False)).to("mock:out")\n',
    )
    routekit.write("routekit.toml", '[routekit]\ntrace = true\n\n[privacy]\nkeys = ["shoe"]\n')
    routekit("run")
    listed = routekit("trace", "--json").json
    assert [one["route"] for one in listed] == ["a.one"]
    assert '{"shoe": "***"}' in routekit("explain", listed[0]["message"], "--bodies").out
