"""`routekit store`: what the store holds, in numbers and whole, its unused space, and a key to encrypt it with."""

import sys
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from secrets import token_bytes
from time import gmtime, strftime, time
from typing import Annotated, BinaryIO

import typer
from pydantic_core import to_json

from ..errors import BadOption
from ..exporting import exported
from ..store import Store
from .app import AsJson, answering, app, err, new_table, out, print_json, settings, show_table
from .lettering import with_store

store = typer.Typer(help="Look at the store: what it holds, its space, a copy of it.", no_args_is_help=True)
app.add_typer(store, name="store")


@store.command()
def stats(as_json: AsJson = False) -> None:
    """Tell what the store holds: of each kind and name how many, and since when."""
    with answering():
        contents = with_store(lambda opened: opened.contents())
    if as_json:
        print_json([asdict(held) for held in contents])
        return
    if not contents:
        out.print("the store is empty")
        return
    table = new_table("kind", "name", "count", "oldest", whole=("oldest",))
    for held in contents:
        oldest = "" if held.oldest is None else strftime("%Y-%m-%d %H:%M:%S", gmtime(held.oldest))
        table.add_row(held.kind, held.name, f"{held.count:,}", oldest)
    show_table(table)


@store.command()
def vacuum() -> None:
    """Give space that is no longer needed back to the disk; a service that writes has to wait meanwhile."""
    with answering():
        with_store(lambda opened: opened.vacuum())
    out.print("done")


@store.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="file to write, new; else the standard output")] = None,
) -> None:
    """Write what the store holds as JSON Lines, messages and letters as they are, secrets and all.

    The first line says which version the lines have, and the counts. Of keys there are only counts. What a running
    service is working at, in journals and outboxes, is left out.
    """
    err.print("note: messages are written as they are, with all that is secret in them")
    with answering():
        given = settings()
        with nullcontext(sys.stdout.buffer) if file is None else _new(file) as stream:
            written, there = with_store(lambda opened: _write(opened, stream.write), given)
    left = {kind: there[kind] - written[kind] for kind in ("journal", "outbox") if there[kind] > written[kind]}
    for kind, count in left.items():
        err.print(f"left out: {count} of {kind}, which a service has in its hands")
    for kind in ("keys", "finished"):
        if there[kind]:
            err.print(f"only counted: {there[kind]} {kind}")
    if file is not None:
        out.print(f"{sum(written.values())} written to {file}")


@store.command()
def key() -> None:
    """Make a key to encrypt a store with, as in `store = "sqlite:data/store.db?key=${STORE_KEY}"`."""
    out.print(urlsafe_b64encode(token_bytes(32)).decode().rstrip("="))


def _new(file: Path) -> BinaryIO:
    try:
        return file.open("xb")
    except FileExistsError:
        raise BadOption(f"'{file}' is there already", hint="name a new file, or remove that one") from None
    except OSError as error:
        raise BadOption(f"'{file}' cannot be written: {error.strerror}", hint="name a file in a folder") from error


async def _write(opened: Store, write: Callable[[bytes], object]) -> tuple[Counter[str], Counter[str]]:
    """Write all; returns how many of each kind were written, and how many there are."""
    written: Counter[str] = Counter()
    there: Counter[str] = Counter()
    async for row in exported(opened, time()):
        if row["kind"] == "export":
            for held in row["contents"]:
                there[held["kind"]] += held["count"]
        else:
            written[row["kind"]] += 1
        write(to_json(row, inf_nan_mode="strings") + b"\n")
    return written, there
