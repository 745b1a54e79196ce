"""Three exchanges are asked for a price at once; what is late or broken is left out, and one price alone is too few.

    python examples/quotes.py

    EUR: 1.08 from ['north', 'south', 'west'] after 3 s
    CHF: 1.12 from ['north', 'west'] after 5 s
    XAU: Unavailable: 1 of 3 branches answered, and 2 must; ...

What to learn: `timeout`, `enough` and `on_error="leave_out"` say how good an answer has to be, and how soon.
"""

from statistics import median

import anyio
from trio.testing import MockClock

from routekit import Flow, Message, from_
from routekit.testing import Feed, Sink, run_routes

PRICES = {"EUR": 1.08, "CHF": 1.12, "XAU": 1970.0}


async def north(currency: str) -> float:
    await anyio.sleep(1)
    return PRICES[currency] + 0.01


async def south(currency: str) -> float:
    await anyio.sleep(60 if currency == "CHF" else 2)
    if currency == "XAU":
        raise ConnectionError("south trades no gold")
    return PRICES[currency]


async def west(currency: str) -> float:
    await anyio.sleep(60 if currency == "XAU" else 3)
    return PRICES[currency] - 0.01


def told(quotes: dict[str, float], message: Message[dict[str, float]]) -> str:
    seconds = anyio.current_time() - message.headers["asked"]
    return f"{message.headers['currency']}: {median(quotes.values()):.2f} from {sorted(quotes)} after {seconds:.0f} s"


async def main() -> None:
    """Ask for three currencies."""
    out = Sink()

    def asked(currency: Flow[str]) -> Flow[dict[str, float]]:
        return currency.scatter_gather(
            {
                "north": lambda one: one.transform(north),
                "south": lambda one: one.transform(south),
                "west": lambda one: one.transform(west),
            },
            timeout=5,
            enough=2,
            on_error="leave_out",
        )

    quotes = (
        from_(Feed(PRICES), str)
        .set_header("currency", lambda currency: currency)
        .set_header("asked", lambda currency: anyio.current_time())
        .apply(asked)
        .transform(told)
        .to(out)
    )
    run = await run_routes(quotes)
    print("\n".join(out.bodies))
    for letter in run.letters:
        print(f"{letter.body}: {letter.error}: {letter.reason}")


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
