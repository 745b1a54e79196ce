"""A week of a nightly job, run in milliseconds: time is virtual, and every second of it happens.

    python examples/virtual_week.py

    Mon 03:00
    Tue 03:00
    Wed 03:00
    Thu 03:00
    Fri 03:00
    5 nights, 8 tries

The other side is away for an hour on Wednesday night; the job tries again until it is back.
What to learn: with a clock that jumps to the next timer, a test of a week takes as long as its work does.
"""

from datetime import UTC, datetime

import anyio
from trio.testing import MockClock

from routekit import Retry, Unavailable, from_
from routekit.testing import Run, Sink, run_routes, setup_for

MONDAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
PATIENT = Retry(20, first=3600, factor=1, on=Unavailable)


async def main() -> None:
    """Run five nights from Monday on, and tell what happened."""
    away = Unavailable("down for maintenance")
    nights = Sink(fail={3: away, 4: away, 5: away})
    begin = anyio.current_time()
    setup = setup_for(Run(), now=lambda: MONDAY + anyio.current_time() - begin)
    await run_routes(from_("cron:0 3 * * 1-5", datetime).to(nights, retry=PATIENT), most=5, setup=setup)
    for night in nights.bodies:
        print(f"{night:%a %H:%M}")
    print(f"{len(nights.bodies)} nights, {len(nights.sends)} tries")


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
