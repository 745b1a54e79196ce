"""Parts: a pair that is split is worked at part by part; what they did is told as one."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields

from routekit import Runtime

from .bench import silent
from .engine import Engine, opened
from .ledger import Ledger
from .pair import SyncPair
from .summary import Progress, Summary


def parts_of(pair: SyncPair) -> Sequence[int]:
    """The numbers of its parts."""
    return range(max(1, pair.partitions))


@asynccontextmanager
async def opened_parts(
    pair: SyncPair, runtime: Runtime, *, only: int | None = None, report: Callable[[Progress], None] = silent
) -> AsyncGenerator[Sequence[Engine]]:
    """The engine of each part of a pair, or of one."""
    async with AsyncExitStack() as stack:
        parts = parts_of(pair) if only is None else [only]
        yield [await stack.enter_async_context(opened(pair, runtime, report=report, partition=part)) for part in parts]


def each_part(pair: SyncPair, ledger: Ledger) -> Sequence[Ledger]:
    """What a pair remembers, as each of its parts sees it: cursors and held deletions are its own."""
    found = [ledger.over(ledger.values) for _ in parts_of(pair)]
    for part, one in enumerate(found):
        one.partition = part
    return found


def added(summaries: Sequence[Summary]) -> Summary:
    """What the cycles of several parts did, as one."""
    if len(summaries) == 1:
        return summaries[0]
    whole = Summary(summaries[0].pair)
    for field in fields(Summary):
        values = [getattr(summary, field.name) for summary in summaries]
        if isinstance(values[0], list):
            setattr(whole, field.name, [each for value in values for each in value])
        elif isinstance(values[0], bool):
            setattr(whole, field.name, all(values))
        elif isinstance(values[0], int | float) and not field.name.startswith("lag_"):
            setattr(whole, field.name, sum(values))
    whole.wait = max(summary.wait for summary in summaries)
    whole.note = "; ".join(dict.fromkeys(summary.note for summary in summaries if summary.note))
    return whole.finish()
