"""Who gets a ticket: of those who know the matter and are there, the one with the least to do for what he can carry.

Pure functions: the desk is a value, kept in the store by the route that uses them. Whoever was asked before in the same
matter is asked again, while he has room; of equals the one who waited longest is next, so that nobody starves. Nobody
gets more than he can carry: then a ticket waits until somebody closes one or comes back.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from pydantic import BaseModel, ConfigDict, Field


class Agent(BaseModel):
    """One who works at tickets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="as the helpdesk calls him")
    skills: frozenset[str] = Field(default=frozenset(), description="words; none: everything")
    most: int = Field(default=10, ge=1, description="tickets at once")
    weight: float = Field(default=1.0, gt=0, description="1: a full share; 0.5: half of one")
    away: tuple[tuple[date, date], ...] = Field(default=(), description="first and last day of each absence")

    def there(self, at: float) -> bool:
        """Whether he works on that day, a time in seconds since 1970."""
        day = datetime.fromtimestamp(at, UTC).date()
        return not any(first <= day <= last for first, last in self.away)


class Desk(BaseModel):
    """Who has which open ticket, and when each was given one last."""

    model_config = ConfigDict(frozen=True)

    open: dict[str, str] = Field(default_factory=dict[str, str])
    turn: dict[str, int] = Field(default_factory=dict[str, int])
    number: int = 0

    def load(self, agent: Agent) -> float:
        """What he has to do, for the share that he takes."""
        return sum(name == agent.name for name in self.open.values()) / agent.weight


class Ticket(BaseModel):
    """A ticket, as far as it matters for who gets it."""

    id: str
    title: str
    open: bool
    agent: str | None = None
    before: str | None = None
    """Who was asked in this matter before."""


def assigned(desk: Desk, ticket: Ticket, agents: Sequence[Agent], now: float) -> Desk:
    """The desk after this ticket was seen: closed ones leave it, people's own choices stand, others are given away."""
    if not ticket.open:
        return desk.model_copy(
            update={"open": {known: name for known, name in desk.open.items() if known != ticket.id}}
        )
    name = ticket.agent or desk.open.get(ticket.id) or chosen(desk, ticket, agents, now)
    if name is None or desk.open.get(ticket.id) == name:
        return desk
    given = {"open": {**desk.open, ticket.id: name}, "number": desk.number + 1}
    return desk.model_copy(update={**given, "turn": {**desk.turn, name: desk.number + 1}})


def chosen(desk: Desk, ticket: Ticket, agents: Sequence[Agent], now: float) -> str | None:
    """Who gets an open ticket that nobody has; None if nobody can take it now."""
    words = {word.strip(".,:;!?()").casefold() for word in ticket.title.split()}
    free = [agent for agent in agents if agent.there(now) and desk.load(agent) * agent.weight < agent.most]
    known = [agent for agent in free if {skill.casefold() for skill in agent.skills} & words]
    able = known or [agent for agent in free if not agent.skills]
    if not able:
        return None
    again = [agent for agent in able if agent.name == ticket.before]
    return min(again or able, key=lambda agent: (desk.load(agent), desk.turn.get(agent.name, 0), agent.name)).name
