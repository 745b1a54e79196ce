"""Who gets a ticket: laws that hold for any desk, and the route that keeps them."""

from collections import Counter
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit.testing import Run, Sink, running, setup_for
from routekit.testing.remote import FakeRemote, Knobs
from routes import helpdesk_desk
from routes.assignment import Agent, Desk, Ticket, assigned, chosen
from routes.helpdesk_desk import desk_of, overdue

NOW = 1_795_000_000.0  # 2026-11-18
TEAM = [Agent(name="ann"), Agent(name="bob"), Agent(name="eve")]


def given_all(tickets: list[Ticket], agents: list[Agent], desk: Desk | None = None) -> Desk:
    desk = desk or Desk()
    for ticket in tickets:
        desk = assigned(desk, ticket, agents, NOW)
    return desk


def opened(number: int, title: str = "printer", **more: Any) -> Ticket:
    return Ticket(id=str(number), title=title, open=True, **more)


@given(st.integers(0, 28), st.integers(1, 3))
def test_equals_get_equally_much(tickets: int, agents: int) -> None:
    """Between those of one weight the difference is one ticket at most."""
    desk = given_all([opened(number) for number in range(tickets)], TEAM[:agents])
    shares = [Counter(desk.open.values())[agent.name] for agent in TEAM[:agents]]
    assert max(shares) - min(shares) <= 1
    assert sum(shares) == min(tickets, 10 * agents)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60), st.integers(1, 5))
def test_nobody_gets_more_than_he_can_carry(events: list[tuple[int, bool]], most: int) -> None:
    """Whatever is opened and closed in whatever order; and what is open has one agent at most."""
    team = [Agent(name="ann", most=most), Agent(name="bob", most=most, weight=0.5)]
    desk = Desk()
    for number, is_open in events:
        desk = assigned(desk, Ticket(id=str(number), title="x", open=is_open), team, NOW)
        assert all(count <= most for count in Counter(desk.open.values()).values())
        assert is_open or str(number) not in desk.open


@given(st.integers(1, 20))
def test_the_same_ticket_again_changes_nothing(number: int) -> None:
    """Seen twice, it stays where it is."""
    desk = given_all([opened(one) for one in range(number)], TEAM)
    assert assigned(desk, opened(0), TEAM, NOW) == desk


def test_skills_weights_and_choices_of_people() -> None:
    """Who knows the word gets it; half a share is half as much; what a person has decided stands."""
    agents = [Agent(name="ann", skills=frozenset(["VPN"])), Agent(name="bob"), Agent(name="eve", weight=0.5)]
    assert chosen(Desk(), opened(1, "No vpn, since today!"), agents, NOW) == "ann"
    desk = given_all([opened(number) for number in range(9)], agents)
    assert Counter(desk.open.values()) == {"bob": 6, "eve": 3}
    assert given_all([opened(77, agent="ann")], agents, desk).open["77"] == "ann"
    assert chosen(desk, opened(5, before="eve"), agents, NOW) == "eve"


def test_who_is_away_gets_nothing() -> None:
    """On the days of an absence, the first and the last one too; when nobody is there a ticket waits."""
    away = Agent.model_validate({"name": "ann", "away": [["2026-11-16", "2026-11-18"]]})
    assert chosen(Desk(), opened(1), [away], NOW) is None
    assert chosen(Desk(), opened(1), [away], NOW + 86400) == "ann"


def helpdesk() -> FakeRemote:
    return FakeRemote("issues", Knobs(granularity=1.0), now=anyio.current_time, random=Random(1))


@pytest.mark.anyio
async def test_the_route_gives_issues_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issues that nobody has get an agent, in turn; one for which nobody has room waits until another one is closed."""
    monkeypatch.setattr(helpdesk_desk, "agents", lambda: [Agent(name="ann", most=1), Agent(name="bob", most=1)])
    desk = helpdesk()
    async with running(desk_of(desk, every=10.0), setup=setup_for(Run())):
        first = [desk.system.user_create({"title": f"t{n}", "status": "unread", "assigned_to": None}) for n in range(3)]
        await anyio.sleep(30)
        agents = [desk.system.records[one].fields["assigned_to"] for one in first]
        assert sorted(filter(None, agents)) == ["ann", "bob"]
        done = first[agents.index("ann")]
        desk.system.user_edit(done, {"status": "resolved"})
        await anyio.sleep(30)
        waits = first[agents.index(None)]
        assert desk.system.records[waits].fields["assigned_to"] == "ann"


@pytest.mark.anyio
async def test_what_nobody_begins_is_told() -> None:
    """Once its time is over, and only if it is still unread."""
    desk, told = helpdesk(), Sink()
    urgent = desk.system.user_create({"title": "fire", "status": "unread", "priority": "critical"})
    begun = desk.system.user_create({"title": "smoke", "status": "unread", "priority": "critical"})
    async with running(overdue(desk, told, every=10.0), setup=setup_for(Run())):
        await anyio.sleep(600)
        desk.system.user_edit(begun, {"status": "in-progress"})
        assert told.bodies == []
        await anyio.sleep(3600)
    assert [body.issue for body in told.bodies] == [urgent]
