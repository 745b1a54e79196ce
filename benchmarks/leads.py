"""The lead routes as they are shipped, beside the same work written by hand.

Both read the same three files of dirty leads with the same models and cleansing, and store the same contacts. The
routes do more: they remember each address durably, write a file for each big lead, and could be killed at any time.
"""

import sqlite3
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copytree
from time import perf_counter, time

import anyio
from sqlalchemy import create_engine

from examples.data.by_hand import load as load_by_hand
from examples.data.make_leads import make
from routekit import Event, Logged
from routekit.loader import load
from routekit.plugins import Catalog
from routekit.settings import load_settings
from routekit.testing import Run, run_routes, setup_for

from .figures import Figure, alternately

ROOT = Path(__file__).parent.parent
ROWS = 60_000
ROUNDS = 3


def by_hand(leads: Path, folder: Path) -> float:
    """Rows per second of the loops."""
    engine = create_engine(f"sqlite:///{folder / 'crm.db'}")
    start = perf_counter()
    load_by_hand(leads, engine, folder / "rejects.csv")
    seconds = perf_counter() - start
    engine.dispose()
    return ROWS / seconds


def routed(leads: Path, folder: Path) -> float:
    """Rows per second of the routes in `routes/leads.py`, from their start to the line that ends the last file."""
    sets = [f"data={folder}", f"LEADS={folder / 'leads'}", f"sql.crm.schema={ROOT / 'routes' / 'crm.sql'}"]
    settings = load_settings(ROOT / "routekit.toml", sets)
    copytree(leads, folder / "leads", ignore=lambda *_: ["expected.json"])
    catalog = Catalog(settings.lookup)
    store = f"sqlite:{folder}/routekit.db"
    ends: list[float] = []

    def watch(event: Event) -> None:
        if isinstance(event, Logged):
            ends.append(perf_counter())  # then the folders are only looked at in vain

    setup = setup_for(Run(), catalog=catalog, store=store, data=folder, settings=settings.table, now=time, watch=watch)
    start = perf_counter()
    run = anyio.run(partial(run_routes, *load(ROOT / "routes" / "leads.py").routes, setup=setup))
    assert not run.letters, run.letters[0]
    assert len(ends) == 3, "one line for each file"
    return ROWS / (ends[-1] - start)


def _stored(folder: Path) -> int:
    database = sqlite3.connect(folder / "crm.db")
    (count,) = database.execute("SELECT count(*) FROM contacts").fetchone()
    database.close()
    return count


def _fresh(measure: Callable[[Path, Path], float], leads: Path, contacts: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        rate = measure(leads, Path(folder))
        assert _stored(Path(folder)) == contacts, "the figure of a run that stored something else says nothing"
        return rate


def figures() -> list[Figure]:
    """Rows per second, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        expected = make(Path(folder), rows=ROWS, seed=7, dirt=0.5)
        contacts = int(str(expected["contacts"]))
        hand, route = alternately(
            ROUNDS,
            lambda: _fresh(by_hand, Path(folder), contacts),
            lambda: _fresh(routed, Path(folder), contacts),
        )
    beside = f"by hand {hand:,.0f} rows/s"
    return [
        Figure("leads: CSV to CRM, the shipped routes", route, "rows/s", beside),
        Figure("leads: the shipped routes / by hand", route / hand, "ratio", beside, 0.5, "higher"),
    ]
