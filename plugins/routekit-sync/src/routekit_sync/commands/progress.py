"""How far something is, on a terminal; nobody knows beforehand how much there is."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from routekit.commanding import err

from ..pair import SyncPair
from ..summary import Progress


@contextmanager
def counting(pair: SyncPair) -> Generator[Callable[[str], None]]:
    """A line that says how far it is; what is called with a text changes that."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bars(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task(pair.name, total=None)
        yield lambda text: bars.update(task, description=f"{pair.name}: {text}")


@contextmanager
def drawn(pair: SyncPair) -> Generator[Callable[[Progress], None]]:
    """The same for a cycle, which reports its progress."""
    with counting(pair) as count:

        def report(progress: Progress) -> None:
            done = f"{progress.scanned:,} scanned, {progress.changed:,} changed, {progress.written:,} written"
            failed = f", {progress.failed:,} failed" if progress.failed else ""
            count(f"{progress.stage}: {done}{failed}")

        yield report
