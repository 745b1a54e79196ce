"""A shop asks the warehouse over a queue, and waits for each answer; one comes too late and is not mixed up.

    python examples/request_reply.py

    pot: nobody knows
    tea: 12 in stock
    cup: 0 in stock
    dead letter: 3, the answer about pots

What to learn: `ask` sends a request with a correlation id and hands each reply to the message that waits for it.
"""

import anyio
from trio.testing import MockClock

from routekit import Policy, from_
from routekit.testing import Feed, Sink, run_routes

STOCK = {"tea": 12, "pot": 3}
SECONDS = {"tea": 1, "cup": 15, "pot": 40}


async def count(item: str) -> int:
    """Look it up; pots stand in another building."""
    await anyio.sleep(SECONDS[item])
    return STOCK.get(item, 0)


async def main() -> None:
    """Ask for three items, each for half a minute at most."""
    out = Sink()

    def answered(item: str, number: int) -> str:
        return f"{item}: {f'{number} in stock' if number >= 0 else 'nobody knows'}"

    shop = (
        from_(Feed(["pot", "tea", "cup"]), str)
        .ask("queue:questions", replies="queue:answers", timeout=30, answer=int, missing=-1, merge=answered)
        .to(out)
    )
    questions = from_("queue:questions", str, policy=Policy(concurrency=2))
    warehouse = questions.transform(count).reply_to("queue:answers")
    run = await run_routes(shop, warehouse)
    print("\n".join(out.bodies))
    for letter in run.letters:
        print(f"dead letter: {letter.body}, the answer about pots")


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
