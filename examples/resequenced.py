"""Events arrive out of order, one is lost on the way: each account gets them in order, after a short wait.

    python examples/resequenced.py

    ann: 1 opened, 2 paid in, 3 closed
    bob: 1 opened, 3 closed (2 never came)
    the last one came after 60 s

What to learn: `resequence` puts messages in the order of their numbers, and `gap` is how long a missing one is awaited.
"""

from collections import defaultdict
from dataclasses import dataclass

import anyio
from trio.testing import MockClock

from routekit import from_
from routekit.testing import Feed, Sink, run_routes


@dataclass(frozen=True)
class Event:
    account: str
    number: int
    what: str


EVENTS = [
    Event("ann", 2, "paid in"),
    Event("bob", 1, "opened"),
    Event("bob", 3, "closed"),
    Event("ann", 3, "closed"),
    Event("ann", 1, "opened"),
]


async def main() -> None:
    """Put the events in order."""
    begin = anyio.current_time()
    ledger = Sink()
    flow = (
        from_(Feed(EVENTS), Event)
        .resequence(
            "ledger", Event, number=lambda event: event.number, per=lambda event: event.account, start=1, gap=60
        )
        .to(ledger)
    )
    await run_routes(flow)
    accounts: dict[str, list[Event]] = defaultdict(list)
    for event in ledger.bodies:
        accounts[event.account].append(event)
    for account, events in sorted(accounts.items()):
        story = ", ".join(f"{event.number} {event.what}" for event in events)
        missing = {1, 2, 3} - {event.number for event in events}
        print(f"{account}: {story}{''.join(f' ({number} never came)' for number in missing)}")
    print(f"the last one came after {anyio.current_time() - begin:.0f} s")


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
