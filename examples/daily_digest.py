"""Three shops report their sales during the day; at midnight each day's reports go out as one mail.

    python examples/daily_digest.py

    Tue 00:00: 6 reports, 990 in all, best ann
    Wed 00:00: 6 reports, 1050 in all, best ann
    Wed 12:00: 3 reports, 546 in all, best ann

What to learn: `aggregate` keeps messages until their group is complete, here each midnight (UTC) and at a stop.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
from trio.testing import MockClock

from routekit import from_
from routekit.testing import Run, Sink, run_routes, setup_for

MONDAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
SHOPS = {"ann": 200, "bob": 150, "cid": 100}


@dataclass(frozen=True)
class Report:
    shop: str
    sales: int


def reports(time: datetime) -> list[Report]:
    return [Report(shop, sales + 10 * time.weekday() + time.hour) for shop, sales in SHOPS.items()]


def digest(day: list[Report]) -> str:
    sums = Counter[str]()
    for report in day:
        sums[report.shop] += report.sales
    return f"{len(day)} reports, {sums.total()} in all, best {sums.most_common(1)[0][0]}"


async def main() -> None:
    """Reports at noon and at six, from Monday to the noon of Wednesday, when the service stops."""
    begin = anyio.current_time()
    setup = setup_for(Run(), now=lambda: MONDAY + anyio.current_time() - begin)
    mails = Sink()

    def stamped(text: str) -> str:
        return f"{datetime.fromtimestamp(setup.now(), UTC):%a %H:%M}: {text}"

    days = (
        from_("cron:0 12,18 * * *", datetime)
        .split(reports)
        .aggregate("days", Report, key=lambda report: "sales", every=24 * 3600, at_stop="release")
        .transform(digest)
        .transform(stamped)
        .to(mails)
    )
    await run_routes(days, most=5, setup=setup)
    print("\n".join(mails.bodies))


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
