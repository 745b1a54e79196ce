"""A trip is booked in three systems, or in none: one books, one is undone, and one is finished after a restart.

    python examples/trip_saga.py

    trip 1: flight, hotel, paid, mailed
    trip 2: flight, hotel, hotel cancelled, flight cancelled
    trip 3: flight, hotel, paid
    dead letter of m2: Rejected: no room left in Oslo
    dead letter of m3: Unavailable: the mail server is away
    trip 3, when it comes again: flight, hotel, paid, mailed

What to learn: an `undo` may run twice or find nothing; after the pivot there is no way back, and a saga goes on.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from routekit import Act, Flow, Message, Rejected, Retry, Unavailable, from_
from routekit.testing import Feed, run_routes


@dataclass(frozen=True)
class Trip:
    id: int
    city: str
    room: str = ""


@dataclass
class World:
    """The systems outside, and what they were told about each trip."""

    mail_is_away: bool = True

    def __post_init__(self) -> None:
        self.told: dict[int, list[str]] = defaultdict(list)

    def book_flight(self, trip: Trip) -> Trip:
        self.told[trip.id].append("flight")
        return trip

    def cancel_flight(self, trip: Trip) -> None:
        self.told[trip.id].append("flight cancelled")

    def book_hotel(self, trip: Trip) -> Trip:
        self.told[trip.id].append("hotel")
        if trip.city == "Oslo":
            raise Rejected(f"no room left in {trip.city}")
        return replace(trip, room="7")

    def cancel_hotel(self, trip: Trip) -> None:
        self.told[trip.id].append("hotel cancelled")  # by the trip's number, as nobody knows whether there is a room

    def pay(self, trip: Trip) -> Trip:
        self.told[trip.id].append("paid")
        return trip

    def mail(self, trip: Trip) -> Trip:
        if self.mail_is_away and trip.id == 3:
            raise Unavailable("the mail server is away")
        self.told[trip.id].append("mailed")
        return trip


def booking(world: World, trips: list[Message[Trip]]) -> Flow[Trip]:
    return from_(Feed(trips), Trip).saga(
        "booking",
        Trip,
        [
            Act("flight", do=lambda t: t.transform(world.book_flight), undo=lambda t: t.transform(world.cancel_flight)),
            Act("hotel", do=lambda t: t.transform(world.book_hotel), undo=lambda t: t.transform(world.cancel_hotel)),
            Act("pay", do=lambda t: t.transform(world.pay), pivot=True),
            Act("mail", do=lambda t: t.transform(world.mail), retry=Retry(2, first=0.01)),
        ],
    )


async def main() -> None:
    """Book three trips, then let the one that is not finished come again, as a replay of its letter does."""
    world, trips = World(), [Message(Trip(n, city), id=f"m{n}") for n, city in enumerate(["Rome", "Oslo", "Paris"], 1)]
    with TemporaryDirectory() as folder:
        store = f"sqlite:{Path(folder) / 'state.db'}"
        run = await run_routes(booking=booking(world, trips), store=store)
        for number, story in world.told.items():
            print(f"trip {number}: {', '.join(story)}")
        for letter in sorted(run.letters, key=lambda letter: letter.message_id):
            print(f"dead letter of {letter.message_id}: {letter.error}: {letter.reason}")
        world.mail_is_away = False
        await run_routes(booking=booking(world, trips[2:]), store=store)
        print(f"trip 3, when it comes again: {', '.join(world.told[3])}")


if __name__ == "__main__":
    anyio.run(main)
