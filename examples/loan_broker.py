"""A broker asks banks for a loan, and takes the best offer of those that answer in time.

    python examples/loan_broker.py

    ann: best is safe bank with 4.1 %, offers: 2
    bob: best is house bank with 6.3 %, offers: 1
    eve: no bank is asked

What to learn: `scatter_gather` asks the branches that a function names, and goes on without those that are late.
The loan broker is the example of Hohpe and Woolf, "Enterprise Integration Patterns", chapter 9.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio
from trio.testing import MockClock

from routekit import Flow, from_
from routekit.testing import Feed, Sink, run_routes


@dataclass(frozen=True)
class Loan:
    customer: str
    amount: int
    score: int = 0


@dataclass(frozen=True)
class Bank:
    name: str
    rate: float
    least_score: int
    seconds: float

    async def offer(self, loan: Loan) -> float:
        """The rate for a loan, once they have thought about it."""
        await anyio.sleep(self.seconds)
        return round(self.rate + (800 - loan.score) / 100, 1)


BANKS = [
    Bank("safe bank", 3.6, least_score=700, seconds=2),
    Bank("house bank", 4.3, least_score=500, seconds=1),
    Bank("slow bank", 1.0, least_score=500, seconds=3600),
]
SCORES = {"ann": 750, "bob": 600, "eve": 300}


def with_score(loan: Loan) -> Loan:
    return replace(loan, score=SCORES[loan.customer])  # a call to the credit bureau


def banks_for(loan: Loan) -> list[str]:
    return [bank.name for bank in BANKS if loan.score >= bank.least_score]


def asking(bank: Bank) -> Callable[[Flow[Loan]], Flow[float]]:
    return lambda loan: loan.transform(bank.offer)


def best(offers: dict[str, float]) -> str:
    if not offers:
        return "no bank is asked"
    bank = min(offers, key=offers.__getitem__)
    return f"best is {bank} with {offers[bank]} %, offers: {len(offers)}"


async def main() -> None:
    """Three customers want a loan."""
    answers = Sink()
    loans = (
        from_(Feed(Loan(name, 10_000) for name in SCORES), Loan)
        .transform(with_score)
        .set_header("customer", lambda loan: loan.customer)
        .scatter_gather({bank.name: asking(bank) for bank in BANKS}, choose=banks_for, timeout=10)
        .transform(best)
        .to(answers)
    )
    await run_routes(loans)
    for message in answers.messages:
        print(f"{message.headers['customer']}: {message.body}")


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
