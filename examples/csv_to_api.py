"""Rows of a CSV file go to an API that takes two calls a second: none is refused, and no row is lost.

    python examples/csv_to_api.py

    second 0: ann, bob
    second 1: cid, eve
    second 2: fay
    dead letter: row 4, column 'age': ...
    the API refused 0 calls

What to learn: `throttle` waits instead of being refused; a bad row is a dead letter, and those after it go on.
"""

from collections import defaultdict
from dataclasses import dataclass

import anyio
from trio.testing import MockClock

from routekit import Policy, Records, Unavailable, from_
from routekit.testing import Feed, run_routes

TABLE = b"name,age\nann,31\nbob,27\ncid,44\ndan,old\neve,19\nfay,62\n"


@dataclass(frozen=True)
class Person:
    name: str
    age: int


class Api:
    """Takes two calls in a second, and refuses more."""

    def __init__(self) -> None:
        self.opened = anyio.current_time()
        self.calls: dict[int, list[str]] = defaultdict(list)
        self.refused = 0

    def create(self, person: Person) -> Person:
        """One call."""
        second = int(anyio.current_time() - self.opened)
        if len(self.calls[second]) == 2:
            self.refused += 1
            raise Unavailable("429 too many requests")
        self.calls[second].append(person.name)
        return person


async def main() -> None:
    """Send the table, with up to four calls under way at once."""
    api = Api()
    people = (
        from_(Feed([TABLE]), bytes)
        .split(Records(Person, codec="csv"), parallel=4, on_error="dead_letter_items")
        .throttle(rate=2, per=1.0)
        .to("direct:api")
    )
    server = from_("direct:api", Person, policy=Policy(concurrency=4)).transform(api.create)
    run = await run_routes(people, server)
    for second, names in api.calls.items():
        print(f"second {second}: {', '.join(names)}")
    for letter in run.letters:
        print(f"dead letter: {letter.reason}")
    print(f"the API refused {api.refused} calls")


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
