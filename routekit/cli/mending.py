"""`routekit letters`: what changes dead letters, or sends them through their route again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from ..console import one_line
from ..errors import BadOption, BodyError, UnknownName
from ..letter import Letter, packed, unpacked
from ..lettering.discarding import discard as discards
from ..lettering.discarding import prune as prunes
from ..lettering.discarding import restore as restores
from ..lettering.editing import UNCHANGED
from ..lettering.editing import edit as edits
from ..lettering.replaying import Outcome, Replay, Replayed
from ..lettering.selecting import counted, found
from ..store import Store
from ..units import seconds
from .app import FAILED, WRONG, AsJson, answering, begin_log, catalog_of, err, fail, out, print_json, settings, setup_of
from .lettering import (
    Before,
    Id,
    OfCluster,
    OfError,
    OfRoute,
    OfStep,
    Since,
    WithText,
    letters,
    one_line_kept,
    plain,
    rate_of,
    selected,
    with_store,
)
from .running import checked
from .whom import As, name_of

if TYPE_CHECKING:
    from ..lettering.trying import Trial

Ids = Annotated[list[str] | None, typer.Argument(help="ids of letters, or the first characters of them")]
All = Annotated[bool, typer.Option("--all", help="every letter (that the other options leave)")]
Routes = Annotated[Path, typer.Option("--routes", help="folder of route modules")]
Why = Annotated[str, typer.Option("--why", help="the reason, for the audit")]


@letters.command()
def edit(
    id: Id,
    why: Why,
    body: Annotated[str | None, typer.Option(help="the new body as JSON; @FILE reads it from a file")] = None,
    text: Annotated[str | None, typer.Option(help="the new body as text or bytes; @FILE reads it from a file")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="set a header; JSON, or else text")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop-header", metavar="NAME", help="take a header away")] = None,
    routes: Routes = Path("routes"),
    who: As = None,
    as_json_: AsJson = False,
) -> None:
    """Change the body or headers that a letter will be replayed with; what came is kept beside it.

    A body that the letter's route would refuse is refused here, with exit code 2, and nothing is changed.
    """
    with answering():
        given = settings(routes)
        catalog = catalog_of(given)
        those_routes = checked(routes, None, given)
        if body is not None and text is not None:
            raise BadOption("--body and --text both say what the body is", hint="give one of them")

        async def work(store: Store) -> Letter:
            letter = await found(store, id)
            new = UNCHANGED if body is None else _json(_given(body).decode(), "--body")
            if text is not None:
                new = _text(_given(text), letter)
            headers = _headers(letter, header or [], drop or [])
            setup = setup_of(given, catalog, store=store)
            return await edits(
                store, those_routes, setup, letter.id, body=new, headers=headers, who=name_of(who), why=why
            )

        try:
            letter = with_store(work, given, catalog)
        except BodyError as error:  # not what went wrong, but what was asked for
            fail(error, WRONG)
    if as_json_:
        print_json(plain(letter))
        return
    out.print(f"{letter.id} is edited; routekit letters dry-run {letter.id} says what a replay would do")


@letters.command("dry-run")
def dry_run_(
    id: Id,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="SINK=JSON", help="what a sink answers: 'http:crm/*={\"vip\": true}'"),
    ] = None,
    routes: Routes = Path("routes"),
    as_json_: AsJson = False,
) -> None:
    """Say what a replay of a letter would send where; nothing leaves, and no state is changed.

    The route runs in memory, with empty state; what the functions in it do, they do. Exit code 1 if it would fail.
    """
    from ..lettering.trying import Trial, dry_run  # the twins of tests take time to load

    with answering():
        given = settings(routes)
        catalog = catalog_of(given)
        those_routes = checked(routes, None, given)
        answers = dict(assigned(one, "--answer") for one in answer or ())

        async def work(store: Store) -> Trial:
            return await dry_run(await found(store, id), those_routes, setup_of(given, catalog, store=store), answers)

        trial = with_store(work, given, catalog)
    if as_json_:
        print_json(trial.model_dump())
    else:
        _show_trial(trial)
    if trial.result == "failed":
        raise typer.Exit(FAILED)


@letters.command()
def replay(
    ids: Ids = None,
    route: OfRoute = None,
    cluster: OfCluster = None,
    step: OfStep = None,
    error: OfError = None,
    text: WithText = None,
    since: Since = None,
    before: Before = None,
    all_: All = False,
    rate: Annotated[str | None, typer.Option(help="letters at most in a time: 5/s, 300/m")] = None,
    max_failures: Annotated[int, typer.Option(min=0, help="stop after so many failures; 0: never")] = 10,
    routes: Routes = Path("routes"),
    who: As = None,
    as_json_: AsJson = False,
) -> None:
    """Send dead letters through their route again, the oldest first.

    Give ids, a cluster, or --all. One that succeeds is forgotten; one that fails again stays. It may be stopped or
    killed at any moment: the same command goes on with those that are left. Exit code 1 if any was not done.
    """
    with answering():
        _which(ids, cluster, all_)
        pace, stop = rate_of(rate), max_failures or None
        given = settings(routes)
        begin_log(given)
        catalog = catalog_of(given)
        those_routes = checked(routes, None, given)

        async def work(store: Store) -> Replayed:
            selection = await selected(store, tuple(ids or ()), route, cluster, step, error, text, since, before)
            setup = setup_of(given, catalog, store=store)
            count = await counted(store, selection)
            with Progress(console=err, transient=True, disable=not err.is_terminal or count < 2) as progress:
                task = progress.add_task("replaying", total=count)

                def tell(outcome: Outcome) -> None:
                    progress.advance(task)
                    if outcome.result != "done":
                        named = f"{outcome.error}: " if outcome.error else ""
                        progress.console.print(one_line(f"{outcome.letter}: {named}{outcome.reason}"))

                all_of_it = Replay(store, those_routes, setup, name_of(who), rate=pace, failures=stop, tell=tell)
                return await all_of_it.run(selection)

        report = with_store(work, given, catalog)
    if as_json_:
        print_json(report.model_dump())
    else:
        skipped = f", {report.skipped} skipped" if report.skipped else ""
        stopped = f"; {report.stopped}, --max-failures allows more" if report.stopped else ""
        out.print(f"{report.done} replayed, {report.failed} failed again{skipped}{stopped}")
    if report.failed or report.skipped:
        raise typer.Exit(FAILED)


@letters.command()
def discard(
    why: Why,
    ids: Ids = None,
    route: OfRoute = None,
    cluster: OfCluster = None,
    step: OfStep = None,
    error: OfError = None,
    text: WithText = None,
    since: Since = None,
    before: Before = None,
    all_: All = False,
    keep: Annotated[str, typer.Option(metavar="TIME", help="how long they can be brought back by restore")] = "30d",
    who: As = None,
) -> None:
    """Take dead letters away, with a reason. Give ids, a cluster, or --all."""
    with answering():
        _which(ids, cluster, all_)
        kept = _duration(keep, "--keep")
        given = settings()
        catalog = catalog_of(given)

        async def work(store: Store) -> int:
            selection = await selected(store, tuple(ids or ()), route, cluster, step, error, text, since, before)
            setup = setup_of(given, catalog, store=store)
            return await discards(store, setup, selection, who=name_of(who), why=why, keep=kept)

        out.print(f"{with_store(work, given, catalog)} discarded")


@letters.command()
def restore(id: Annotated[str, typer.Argument(help="the whole id")], why: Why = "", who: As = None) -> None:
    """Bring a discarded letter back."""
    with answering():
        given = settings()
        catalog = catalog_of(given)

        async def work(store: Store) -> Letter:
            return await restores(store, setup_of(given, catalog, store=store), id, who=name_of(who), why=why)

        letter = with_store(work, given, catalog)
        out.print(f"{letter.id} of {letter.route} is a dead letter again")


@letters.command()
def prune(
    older_than: Annotated[str, typer.Option(metavar="TIME", help="those given up longer ago, such as 90d")],
    who: As = None,
) -> None:
    """Forget old dead letters for good: they cannot be brought back."""
    with answering():
        age = _duration(older_than, "--older-than")
        given = settings()
        catalog = catalog_of(given)

        async def work(store: Store) -> int:
            setup = setup_of(given, catalog, store=store)
            return await prunes(store, setup, before=setup.now() - age, who=name_of(who))

        out.print(f"{with_store(work, given, catalog)} forgotten")


def _show_trial(trial: "Trial") -> None:
    for sent in trial.sends:
        failed = f" ({sent.error})" if sent.error else ""
        out.print(one_line(f"{sent.route} would send to {sent.to}{failed}"))
        for name, data in (("body", sent.body), ("headers", sent.headers), ("options", sent.options)):
            if data or name == "body":
                out.print(f"  {name + ':':<9} {one_line_kept(json.dumps(data, ensure_ascii=False))}")
    if not trial.sends:
        out.print("nothing would be sent")
    if trial.result == "failed":
        out.print(one_line(f"and would fail at {trial.step}: {trial.error}: {trial.reason}"))
    else:
        out.print("and would be done")


def _which(ids: Sequence[str] | None, cluster: str | None, all_: bool) -> None:
    """Many letters are never meant by leaving something out."""
    if not ids and not cluster and not all_:
        raise UnknownName("which letters?", hint="give ids, --cluster ID, or --all")
    if ids and (all_ or cluster):
        raise UnknownName("which letters?", hint="give either ids, or --cluster ID, or --all")


def _given(text: str) -> bytes:
    """What an option says, or the file that it names."""
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise BadOption(f"'{text[1:]}' cannot be read: {error.strerror}", hint="@ names a file") from error


def _json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        hint = "a text is written in double quotes, or given by --text" if option == "--body" else "write JSON"
        raise BadOption(f"{option} is no JSON: {error}", hint=hint) from error


def _text(data: bytes, letter: Letter) -> Any:
    """A text as the kind of body that the letter has."""
    if isinstance(unpacked(letter.body), bytes):
        return packed(data)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return packed(data)


def _headers(letter: Letter, sets: Sequence[str], drops: Sequence[str]) -> dict[str, Any] | None:
    if not sets and not drops:
        return None
    for name in drops:
        if name not in letter.headers:
            raise UnknownName(f"the letter has no header '{name}'", hint=f"it has: {', '.join(letter.headers)}")
    kept = {name: value for name, value in letter.headers.items() if name not in drops}
    return kept | dict(assigned(one, "--header", texts=True) for one in sets)


def assigned(text: str, option: str, *, texts: bool = False) -> tuple[str, Any]:
    """`name=value`, the value JSON, or with `texts` else a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadOption(f"{option} '{text}' has no '='", hint=f"write {option} NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError as error:
        if texts:
            return name, value
        raise BadOption(f"{option} {name}: what is behind '=' is no JSON: {error}", hint="write JSON") from error


def _duration(text: str, option: str) -> float:
    found = seconds(text)
    if not isinstance(found, float):
        raise BadOption(f"{option} '{text}' is no time", hint="write 12h, 30d or 1h30m")
    return found
