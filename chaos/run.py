"""One run from beginning to end: fill the queue, disturb the work, wait until all is done, settle the ledger."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from time import monotonic, sleep

from . import broker, database, ledger
from .daemon import claims, letters
from .ledger import Ledger
from .monkey import Act, plan
from .orders import Expected, made
from .stage import SQLITE, Stage, Stuck, staged

_PATIENCE = 180.0
"""Seconds without any progress after which a run is stuck; routes wait up to a minute before they start again."""
_LOOK = 0.05


@dataclass(frozen=True)
class Wanted:
    """The size of a run. The same values and seed give the same messages and the same plan."""

    messages: int = 50_000
    kills: int = 30
    faults: int = 15
    seed: int = 1
    daemons: int = 1
    store: str = SQLITE
    durable: bool = False
    """Whether messages are journaled in the store when they arrive."""


@dataclass(frozen=True)
class Outcome:
    """What a run has found."""

    wanted: Wanted
    acts: Sequence[Act]
    ledger: Ledger
    seconds: float
    deposed: int = 0
    """How often a daemon had to begin anew, since the others held it for dead."""

    def __str__(self) -> str:
        wanted, kills = self.wanted, _counted(act.whom for act in self.acts if act.what == "kill")
        faults = _counted(act.what for act in self.acts if act.what != "kill")
        daemons = "1 daemon" if wanted.daemons == 1 else f"{wanted.daemons} daemons"
        kept = f"{wanted.store}, journaled" if wanted.durable else wanted.store
        deposed = f"\ndeposed: {self.deposed} times a daemon began anew" if self.deposed else ""
        verdict = "every claim was kept" if self.ledger.holds else "NOT KEPT:\n" + "\n".join(self.ledger.faults())
        return (
            f"chaos: {wanted.messages:,} messages, {daemons}, store {kept}, seed {wanted.seed}, "
            f"{self.seconds:.0f} s\nkills: {kills}\nfaults: {faults}{deposed}\n{self.ledger}\n{verdict}"
        )


def run(wanted: Wanted, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Do a run in an empty folder, in which logs and stores stay; raises Stuck, with all that is known."""
    sent, expected = made(wanted.messages, wanted.seed)
    names = [f"daemon-{number}" for number in range(1, wanted.daemons + 1)]
    acts = plan(wanted.seed, wanted.kills, wanted.faults, names)
    with staged(
        folder, expected.accounts, store=wanted.store, daemons=wanted.daemons, durable=wanted.durable, say=say
    ) as stage:
        say(f"publishing {len(sent):,} messages")
        stage.portal.call(broker.fill, stage.broker.url, sent)
        start = monotonic()
        for daemon in stage.daemons:
            daemon.start()
        _disturbed(stage, acts, 2 * len(expected.totals))
        unfinished = _finished(stage, 2 * len(expected.totals))
        seconds = monotonic() - start
        say("stopping")
        codes = [daemon.stop() for daemon in stage.daemons]
        settled = settle(stage, expected, durable=wanted.durable)
        settled.others += unfinished
        settled.others += [f"a daemon ended with exit code {code}" for code in codes if code]
        return Outcome(wanted, acts, settled, seconds, stage.deposed)


def settle(stage: Stage, expected: Expected, *, durable: bool) -> Ledger:
    """Hold all that is there against what has to be there, and against the claims, once no daemon runs any more."""
    queues = (broker.IN, broker.BOOKINGS, broker.OUT, broker.RECEIPTS)
    orders, bookings, invoices, receipts = (stage.portal.call(broker.emptied, stage.broker.url, one) for one in queues)
    url, said = stage.database.url, claims(stage.folder, durable=durable)
    again = database.rewritten(url)
    cents = {number: (customer, cents) for number, (customer, _, cents) in expected.totals.items()}

    def claim(sink: str) -> str:
        return next(delivery for uri, delivery in said.items() if uri.startswith(sink))

    accounts = [
        ledger.table("sql lines", claim("sql:shop/lines"), expected.lines, database.lines(url), again["lines"]),
        ledger.table("sql totals", claim("sql:shop/totals"), expected.totals, database.totals(url), again["totals"]),
        ledger.queue("rabbitmq invoices", claim("rabbitmq:?exchange=invoices"), expected, invoices),
        ledger.journal("sql booked", claim("sql:shop/booked"), cents, database.booked(url)),
        ledger.table("sql accounts", claim("sql:shop?mode=execute"), expected.accounts, database.accounts(url), 0),
        ledger.queue("rabbitmq receipts", claim("rabbitmq:receipts"), expected, receipts),
        ledger.letters(expected.letters, letters(stage.folder)),
    ]
    left = {broker.IN: len(orders), broker.BOOKINGS: len(bookings), "the outbox": database.outgoing(url)}
    return Ledger(accounts, [f"{count} messages were left in {where}" for where, count in left.items() if count])


def _disturbed(stage: Stage, acts: Sequence[Act], goal: int) -> None:
    """Do each act when the work has come so far."""
    for at, together in groupby(acts, key=lambda act: act.at):
        best = _reached(stage, partial(database.progress, stage.database.url), int(at * goal))
        if best < int(at * goal):
            logs = "\n".join(f"{daemon.name}: {daemon.log[-2000:]}" for daemon in stage.daemons)
            raise Stuck(f"no progress for {_PATIENCE:.0f} s at {best} of {goal} totals and bookings\n{logs}")
        stage.perform(list(together))


def _finished(stage: Stage, goal: int) -> list[str]:
    """Wait until all orders are done and nothing waits in the queue; what has not come so far, in sentences."""
    done = _reached(stage, partial(database.progress, stage.database.url), goal)
    late = [f"no progress for {_PATIENCE:.0f} s at {done} of {goal} totals and bookings"] if done < goal else []
    for where, waiting in _left(stage).items():
        rest = -_reached(stage, lambda waiting=waiting: -abs(waiting()), 0)
        late += [f"{rest} messages were waiting in {where}"] if rest else []
    return late


def _left(stage: Stage) -> Mapping[str, Callable[[], int]]:
    """Where messages may wait, and how many; -1 while that is not known."""
    queues = {name: partial(_waiting, stage, name) for name in (broker.IN, broker.BOOKINGS)}
    return {**queues, "the outbox": partial(database.outgoing, stage.database.url)}


def _waiting(stage: Stage, queue: str) -> int:
    return stage.portal.call(broker.waiting, stage.broker.url, queue)


def _reached(stage: Stage, now: Callable[[], int], goal: int) -> int:
    """Wait until the number is as high as the goal, or has not grown for long; how high it is."""
    best, since = now(), monotonic()
    while (found := now()) < goal and monotonic() - since < _PATIENCE:
        stage.look()
        if found > best:
            best, since = found, monotonic()
        sleep(_LOOK)
    return max(best, found)


def _counted(names: Iterable[str]) -> str:
    found = sorted(Counter(names).items())
    return f"{sum(count for _, count in found)} ({', '.join(f'{count} {name}' for name, count in found)})"
