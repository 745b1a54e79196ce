"""A CRM and an ERP are kept in step in both directions, though the ERP writes all names in capitals.

    python examples/two_way.py

    Ada and Bob are in the CRM: 2 created in the ERP, as ADA and BOB
    a minute later: 0 writes
    Bob becomes Bobby in the CRM, Ada gets an e-mail address in the ERP: 1 to the ERP, 1 to the CRM
    a minute later: 0 writes
    both change Ada's phone: 0 writes, 1 conflict waits for a person
    the CRM says Ada, +44 2, ada@example.org; the ERP says ADA, +44 3, ada@example.org
    for 4 edits there were 4 writes, and never an echo

What to learn: a change is what a side says otherwise than it said before; what it makes of what it is given is none.
"""

from collections.abc import Awaitable, Callable

import anyio
from trio.testing import MockClock

from routekit import from_
from routekit.testing import Clock, Run, Sink, running, setup_for
from routekit.testing.remote import FakeRemote, Knobs
from routekit_sync import Rule, Summary, SyncPair, SyncSource, Unit


def unit(crm: str, erp: str, rule: Rule = Rule.NEWEST) -> Unit:
    """One field, both ways."""
    return Unit(crm, [crm], [erp], lambda a: {erp: a.get(crm)}, lambda b: {crm: b.get(erp)}, rule=rule)


async def main() -> None:
    """Let two systems run for some minutes of virtual time, and edit them."""
    clock = Clock()
    crm = FakeRemote("crm", now=clock.now)
    erp = FakeRemote("erp", Knobs(normalise={"title": str.upper}), now=clock.now)
    units = [unit("name", "title"), unit("email", "mail"), unit("phone", "phone", Rule.MANUAL)]
    customers = SyncPair("customers", crm, erp, units, every=60.0)
    cycles = Sink()

    ada = crm.system.user_create({"name": "Ada", "email": None, "phone": "+44 1"})
    bob = crm.system.user_create({"name": "Bob", "email": None, "phone": None})
    async with running(from_(SyncSource(pair=customers), Summary).to(cycles), setup=setup_for(Run(), now=clock.now)):
        first = await next_of(cycles, clock.advance)
        names = " and ".join(sorted(str(one.fields["title"]) for one in erp.system.records.values()))
        print(f"Ada and Bob are in the CRM: {first.created_b} created in the ERP, as {names}")
        print(f"a minute later: {(await next_of(cycles, clock.advance)).writes} writes")

        there = next(one.id for one in erp.system.records.values() if one.fields["title"] == "ADA")
        crm.system.user_edit(bob, {"name": "Bobby"})
        erp.system.user_edit(there, {"mail": "ada@example.org"})
        both = await next_of(cycles, clock.advance)
        print(
            "Bob becomes Bobby in the CRM, Ada gets an e-mail address in the ERP: "
            f"{both.updated_b} to the ERP, {both.updated_a} to the CRM"
        )
        print(f"a minute later: {(await next_of(cycles, clock.advance)).writes} writes")

        crm.system.user_edit(ada, {"phone": "+44 2"})
        erp.system.user_edit(there, {"phone": "+44 3"})
        clash = await next_of(cycles, clock.advance)
        print(f"both change Ada's phone: {clash.writes} writes, {clash.manual} conflict waits for a person")

    mine, theirs = crm.system.records[ada].fields, erp.system.records[there].fields
    print(
        f"the CRM says {mine['name']}, {mine['phone']}, {mine['email']}; "
        f"the ERP says {theirs['title']}, {theirs['phone']}, {theirs['mail']}"
    )
    print(f"for 4 edits there were {len(crm.system.writes) + len(erp.system.writes)} writes, and never an echo")


async def next_of(cycles: Sink, advance: Callable[[float], Awaitable[None]]) -> Summary:
    """What the next cycle did."""
    known = len(cycles.messages)
    while len(cycles.messages) == known:
        await advance(1.0)
    return cycles.messages[-1].body


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
