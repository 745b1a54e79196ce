"""`routekit letters`: dead letters found and read, by clusters too, and what operators have done with them."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Annotated, Any, TypeVar

import anyio
import typer

from ..console import one_line
from ..endpoint import parse_uri
from ..errors import BadOption, StoreError
from ..letter import Cluster, Letter, unpacked
from ..lettering.discarding import Discarded
from ..lettering.discarding import discarded as those_discarded
from ..lettering.editing import original
from ..lettering.recording import written
from ..lettering.selecting import Selection, cluster_found, counted, found, listed, route_checked
from ..options import masked
from ..placeholders import filled
from ..plugins import Catalog
from ..settings import Settings
from ..store import Deed, Store
from ..units import seconds
from .app import AsJson, answering, app, catalog_of, new_table, out, print_json, settings, setup_of, show_table
from .completing import written_routes
from .whom import As, name_of

R = TypeVar("R")

letters = typer.Typer(help="Find dead letters, read, edit, try and replay them, or discard them.", no_args_is_help=True)
app.add_typer(letters, name="letters")

Id = Annotated[str, typer.Argument(help="the letter's id, or the first characters of it")]
OfRoute = Annotated[
    str | None, typer.Option("--route", help="only letters of this route", autocompletion=written_routes)
]
OfCluster = Annotated[
    str | None, typer.Option("--cluster", help="only letters of this cluster; the first characters of its id do")
]
OfStep = Annotated[str | None, typer.Option("--step", help="only with this in the name of the failing step")]
OfError = Annotated[str | None, typer.Option("--error", help="only with an error of this class")]
WithText = Annotated[
    str | None, typer.Option("--text", help="only with this text in message id, reason, causes, body or headers")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="only from then on: 2h (ago), 2026-01-31T08:00")
]
Before = Annotated[str | None, typer.Option("--before", metavar="TIME", help="only from before then, written so too")]

WIDE = 60
"""Characters of a value that is shown in one line."""

LINES = 40
"""Lines of a value that are shown."""


@letters.command("list")
def list_(
    route: OfRoute = None,
    cluster: OfCluster = None,
    step: OfStep = None,
    error: OfError = None,
    text: WithText = None,
    since: Since = None,
    before: Before = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="the oldest first")] = False,
    limit: Annotated[int, typer.Option(min=1, help="letters at most")] = 50,
    ids: Annotated[bool, typer.Option("--ids", help="print the ids alone, for other commands")] = False,
    as_json_: AsJson = False,
) -> None:
    """List dead letters, the newest first."""

    async def work(store: Store) -> tuple[list[Letter], int]:
        selection = await selected(store, (), route, cluster, step, error, text, since, before)
        return await listed(store, selection, limit=limit, oldest=oldest), await counted(store, selection)

    with answering():
        those, count = with_store(work)
    if as_json_:
        print_json([plain(letter) for letter in those])
        return
    if ids:
        for letter in those:
            typer.echo(letter.id)
        return
    if not those:
        out.print("no dead letters")
        return
    table = new_table("id", "when", "route", "place", "reason", whole=("when", "route"))
    for letter in those:
        reason = one_line(masked(f"{letter.error}: {letter.reason}"))
        table.add_row(letter.id, _when(letter.when), letter.route, letter.place, reason)
    show_table(table)
    if count > len(those):
        out.print(f"{len(those)} of {count}; --limit shows more")


@letters.command("clusters")
def clusters_(route: OfRoute = None, as_json_: AsJson = False) -> None:
    """List what is alike among dead letters, the largest cluster first.

    Alike are failures of one class at one step of one route, whose texts differ only in numbers, ids, quoted values,
    addresses and times.
    """

    async def work(store: Store) -> list[Cluster]:
        await route_checked(store, route)
        return list(await store.letters.clusters(route=route))

    with answering():
        those = with_store(work)
    if as_json_:
        print_json(
            [asdict(cluster) | {"text": masked(cluster.text), "step": masked(cluster.step)} for cluster in those]
        )
        return
    if not those:
        out.print("no dead letters")
        return
    if out.is_terminal:
        table = new_table("cluster", "count", "first", "last", "failure", whole=("count", "first", "last"))
    else:
        table = new_table("cluster", "count", "first", "last", "route", "step", "failure")
    for one in those:
        failure = [one.route, masked(one.step), one_line(masked(f"{one.error}: {one.text}"))]
        if out.is_terminal:
            failure = [f"{failure[0]}: {failure[1]}\n{failure[2]}"]
        table.add_row(one.id[:8], f"{one.count:,}", _when(one.first), _when(one.last), *failure)
    show_table(table)


@letters.command()
def show(id: Id, as_json_: AsJson = False) -> None:
    """Show one dead letter whole: the message as it came, where and why it failed, and what was done since."""

    async def work(store: Store) -> Letter:
        return await found(store, id)

    with answering():
        letter = with_store(work)
    if as_json_:
        print_json(plain(letter))
        return
    for name, lines in _fields(letter):
        head = f"{name}:"
        for line in lines:
            out.print(f"{head:<12} {line}")
            head = ""


@letters.command()
def discarded(as_json_: AsJson = False) -> None:
    """List discarded letters that can still be brought back by `restore`."""

    async def work(store: Store) -> list[Discarded]:
        return sorted([one async for one in those_discarded(store)], key=lambda one: -one.when)

    with answering():
        those = with_store(work)
    if as_json_:
        print_json([one.model_dump() | {"reason": masked(one.reason)} for one in those])
        return
    if not those:
        out.print("nothing was discarded")
        return
    table = new_table("id", "discarded", "who", "why", "route", "reason", whole=("discarded",))
    for one in those:
        reason = one_line(masked(f"{one.error}: {one.reason}"))
        table.add_row(one.id, _when(one.when), one.who, one_line(one.why), one.route, reason)
    show_table(table)


@letters.command()
def audit(
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="entries at most")] = 50,
    as_json_: AsJson = False,
) -> None:
    """List what operators did, the newest first: who, when, what, and why or with what result."""

    async def work(store: Store) -> list[Deed]:
        return list(await store.audit.list(since=moment(since), limit=limit))

    with answering():
        deeds = with_store(work)
    if as_json_:
        print_json([asdict(deed) for deed in deeds])
        return
    if not deeds:
        out.print("nothing was done")
        return
    table = new_table("when", "who", "action", "what", "details", whole=("who", "action"))
    for deed in deeds:
        table.add_row(_when(deed.when), deed.who, deed.action, one_line(deed.what), one_line(deed.details))
    show_table(table)


@letters.command()
def export(
    route: OfRoute = None,
    cluster: OfCluster = None,
    step: OfStep = None,
    error: OfError = None,
    text: WithText = None,
    since: Since = None,
    before: Before = None,
    who: As = None,
) -> None:
    """Print letters as JSON, one on each line, the oldest first; they stay where they are."""

    async def work(store: Store) -> list[Letter]:
        selection = await selected(store, (), route, cluster, step, error, text, since, before)
        those = await listed(store, selection, limit=1_000_000, oldest=True)
        what = selection.words
        await written(
            store, setup_of(given, catalog, store=store), name_of(who), "export", what, f"{len(those)} letters"
        )
        return those

    with answering():
        given = settings()
        catalog = catalog_of(given)
        for letter in with_store(work, given, catalog):
            typer.echo(json.dumps(plain(letter), default=str))


def with_store(
    work: Callable[[Store], Awaitable[R]], given: Settings | None = None, catalog: Catalog | None = None
) -> R:
    """What `work` makes of the store that the settings name."""
    given = given or settings()
    catalog = catalog or catalog_of(given)
    _exists(given)

    async def opened() -> R:
        async with catalog.open_store(given.options.store, time) as store:
            return await work(store)

    return anyio.run(opened)


async def selected(
    store: Store,
    ids: tuple[str, ...],
    route: str | None,
    cluster: str | None,
    step: str | None,
    error: str | None,
    text: str | None,
    since: str | None,
    before: str | None,
) -> Selection:
    """The letters that options name; raises UnknownName for ids and clusters that there are not."""
    await route_checked(store, route)
    return Selection(
        ids=tuple([(await found(store, one)).id for one in ids]),
        route=route,
        cluster=None if cluster is None else (await cluster_found(store, cluster)).id,
        step=step,
        error=error,
        text=text,
        since=moment(since),
        before=moment(before),
    )


def moment(text: str | None) -> float | None:
    """A time in seconds since 1970, written as how long ago or as a date; raises BadOption."""
    if text is None:
        return None
    ago = seconds(text)
    if isinstance(ago, float):
        return time() - ago
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "write how long ago, such as 2h or 7d, or a time such as 2026-01-31T08:00, in UTC unless it has a zone"
        raise BadOption(f"'{text}' is no time", hint=hint) from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _exists(given: Settings) -> None:
    """Looking for letters makes no store: in a wrong folder it would say that there are none."""
    uri = parse_uri(filled(given.options.store, given.lookup))
    if uri.scheme == "sqlite" and not Path(uri.path).exists():
        raise StoreError(f"there is no store '{uri.path}'", hint="no route has run here yet, or --config names another")


def plain(letter: Letter) -> dict[str, Any]:
    """A letter as plain data: secrets are masked in what RouteKit wrote, the message is as it came."""
    data = asdict(letter)
    data["causes"] = [masked(cause) for cause in letter.causes]
    data["replays"] = [{**one, "reason": masked(str(one.get("reason", "")))} for one in letter.replays]
    return {name: masked(value) if name in _WRITTEN and value else value for name, value in data.items()}


_WRITTEN = ("source", "step", "reason")


def _fields(letter: Letter) -> Iterator[tuple[str, list[str]]]:
    """What a letter says, by name, as lines for people; what says nothing is left out."""
    body, headers = original(letter)
    yield "id", [letter.id]
    yield "message", [letter.message_id]
    yield "when", [_time(letter.when)]
    yield "route", [letter.route]
    yield "source", [masked(letter.source)]
    yield "step", [one_line(masked(letter.step))]
    yield "place", [letter.place + (f" (entered at {letter.entry})" if letter.entry else "")]
    yield "error", [letter.error]
    yield "reason", [one_line(masked(letter.reason))]
    yield "causes", [one_line(masked(cause)) for cause in letter.causes]
    yield "cluster", [letter.cluster]
    yield "attempts", [str(letter.attempts)]
    yield "body", _data(body)
    yield "headers", _data(headers)
    if letter.body != body:
        yield "body now", _data(letter.body)
    if letter.headers != headers:
        yield "headers now", _data(letter.headers)
    if letter.current_headers is not None:
        yield "at the step", _data(letter.current)
        if letter.current_headers != headers:
            yield "headers so", _data(letter.current_headers)
    yield "history", [f"+{one['after']:.3f} s  {masked(one['step'])}  [{one['id']}]" for one in letter.history]
    yield "calls", [one_line(f"{key} -> {result}") for key, result in letter.effects.items()]
    yield "edits", [_edit(one) for one in letter.edits]
    yield "replays", [_replay(one) for one in letter.replays]


def _edit(edit: dict[str, Any]) -> str:
    what = " and ".join(name for name in ("body", "headers") if name in edit)
    return one_line(f"{_time(edit['when'])} {edit['who']}: {what}, {edit['why']}")


def _replay(tried: dict[str, Any]) -> str:
    failed = masked(f"{tried['step']}: {tried['error']}: {tried['reason']}")
    return one_line(f"{_time(tried['when'])} {tried['who']}: failed again at {failed}")


def _data(data: Any) -> list[str]:
    """JSON-ready data in one line if it is short, else in some; bytes that are text as their lines."""
    raw = unpacked(data)
    if isinstance(raw, bytes):
        with suppress(UnicodeDecodeError):
            lines = raw.decode().splitlines()
            return [f"{len(raw)} bytes, which are text:", *map(one_line_kept, lines[:LINES]), *_more(lines)]
    short = json.dumps(data, ensure_ascii=False)
    if len(short) <= WIDE or not isinstance(data, dict | list):
        return [one_line(short)]
    lines = json.dumps(data, ensure_ascii=False, indent=2).splitlines()
    return [*map(one_line_kept, lines[:LINES]), *_more(lines)]


def _more(lines: list[str]) -> list[str]:
    return [f"... {len(lines) - LINES} lines more; --json shows all"] if len(lines) > LINES else []


def one_line_kept(line: str) -> str:
    """One line for a terminal, with the blanks that it begins with."""
    blanks = len(line) - len(line.lstrip(" "))
    return " " * blanks + one_line(line[blanks:])


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _when(when: float) -> str:
    """A time in a table: whole where it may be read by a program, short for people: of today without the date."""
    if not out.is_terminal:
        return _time(when)
    at, now = datetime.fromtimestamp(when, UTC), datetime.now(UTC)
    if at.date() == now.date():
        return at.strftime("%H:%M:%SZ")
    return at.strftime("%m-%d %H:%MZ") if at.year == now.year else at.strftime("%Y-%m-%d")


RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/([smh]))?")


def rate_of(text: str | None) -> float | None:
    """Letters a second, written `5/s`, `300/m`, `1000/h` or `5`; raises BadOption."""
    if text is None:
        return None
    asked = RATE.fullmatch(text)
    rate = float(asked[1]) / {"s": 1, "m": 60, "h": 3600}[asked[2] or "s"] if asked else 0.0
    if rate <= 0:
        raise BadOption(f"'{text}' is no rate", hint="write 5/s, 300/m or 1000/h")
    return rate
