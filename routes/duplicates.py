"""Contacts that may be one person under two addresses: found as they come in, and listed with reasons.

Each contact that `leads` has stored is compared with those that share a block with it (`likeness`). What is alike is
a row of the table `lookalikes`, and of `data/leads/review/lookalikes.csv`, for a person to look at.
"""

from collections.abc import Sequence

from routekit import Policy, from_
from routekit_sql import SqlSource

from .leads import AWAY, FOLDER
from .likeness import Lookalike, Person, blocks, lookalike

COLUMNS = "c.email, c.first_name, c.last_name, c.phone, c.company, c.country"
UNCHECKED = f"SELECT {COLUMNS} FROM unchecked u JOIN contacts c ON c.email = u.email"  # noqa: S608  # of texts in here

MOST = 100
"""Contacts of one block; one that has more says nothing, such as a switchboard's number."""

NEIGHBOURS = f"""
    SELECT DISTINCT {COLUMNS}
    FROM blocks mine JOIN blocks theirs ON theirs.block = mine.block AND theirs.email <> mine.email
    JOIN contacts c ON c.email = theirs.email
    WHERE mine.email = :email
    AND (SELECT count(*) FROM (SELECT 1 FROM blocks b WHERE b.block = mine.block LIMIT {MOST + 1}) some) <= {MOST}
"""  # noqa: S608  # of texts in here


def as_blocks(person: Person) -> list[dict[str, str]]:
    """The rows of the table `blocks` for a contact."""
    return [{"block": block, "email": person.email} for block in blocks(person)]


def alike(person: Person, neighbours: Sequence[Person]) -> list[Lookalike]:
    """Those of its neighbours that a contact is like."""
    found = (lookalike(person, other) for other in neighbours)
    return [one for one in found if one is not None]


def told_as(found: Lookalike) -> str:
    """What a pair is told once by, whichever of the two came first; another verdict is told again."""
    return f"{found.one} {found.other} {found.verdict}"


lookalikes = (
    from_(
        SqlSource(target="crm/unchecked", query=UNCHECKED, key="email", after="delete", poll=1.0),
        Person,
        policy=Policy(concurrency=16),
    )
    .tap(lambda person: person.transform(as_blocks).to("sql:crm/blocks?mode=upsert&key=block,email", retry=AWAY))
    .enrich("sql:crm?mode=execute", answer=list[Person], merge=alike, statement=NEIGHBOURS, retry=AWAY)
    .split(lambda found: found)
    .to("sql:crm/lookalikes?mode=upsert&key=one,other", retry=AWAY)
    .idempotent("lookalikes", key=told_as)
    .to(f"file:{FOLDER}/review?name=lookalikes.csv&exists=append", codec="csv")
)
