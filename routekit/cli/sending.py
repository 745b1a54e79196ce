"""`routekit send` and `routekit receive`: messages to and from one endpoint by hand, without a daemon."""

import json
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from time import time
from typing import Annotated, Any, BinaryIO, TypeVar, cast

import anyio
import anyio.to_thread
import typer

from ..codec import Codec
from ..console import Watcher
from ..endpoint import parse_uri
from ..errors import BadOption, BodyError, Unanswered
from ..events import Event, Logged, Progress
from ..message import Message
from ..operating.receiving import Receiving
from ..operating.sending import Sent
from ..operating.sending import send as sends
from ..options import masked
from ..placeholders import filled
from ..plugins import Catalog
from ..runtime.service import Setup
from ..settings import Settings
from ..step import Target
from ..tasks import together
from .app import FAILED, AsJson, answering, app, begin_log, catalog_of, err, fail, out, settings, setup_of
from .completing import schemes
from .mending import assigned
from .showing import bytes_of, json_of, lines_of

R = TypeVar("R")

Uri = Annotated[str, typer.Argument(help="the endpoint: scheme:path?option=value", autocompletion=schemes)]


@app.command()
def send(
    uri: Uri,
    body: Annotated[str | None, typer.Option("--body", metavar="TEXT", help="the body")] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", help="the file that is the body; -: the standard input")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="a header; JSON, or else text")
    ] = None,
    codec: Annotated[str | None, typer.Option("--codec", help="what reads the body: json, csv, ...; else text")] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="a message for each line; with --codec for each record")
    ] = False,
    as_json_: AsJson = False,
) -> None:
    """Send a message to an endpoint, and say what became of it; no daemon is needed.

    The body is --body, --file, or else the standard input. --codec reads it; how it is written is said by the endpoint:
    `routekit send 'file:out?codec=csv' --codec json --file orders.json`.

    Exit code 1 if the endpoint did not take it; with --lines nothing is sent after the first one that it did not take.
    """

    def tell(sent: Sent) -> None:
        (_tell_as_json if as_json_ else _tell)(sent, masked(uri))

    with answering():
        given = settings()
        catalog = catalog_of(given)
        reading = None if codec is None else catalog.codec(codec)
        headers = dict(assigned(one, "--header", texts=True) for one in header or ())

        async def work(setup: Setup) -> bool:
            with _stream(body, file) as stream:
                messages = _records(stream, reading, headers) if lines else _whole(stream, reading, headers)
                return await sends(Target(uri), messages, setup, tell)

        if not _with_setup(given, catalog, work):
            raise typer.Exit(FAILED)


@app.command()
def receive(
    uri: Uri,
    count: Annotated[int, typer.Option(min=0, help="messages to take; 0: all that come, until Ctrl-C")] = 1,
    timeout: Annotated[
        float | None, typer.Option(min=0.0, metavar="SECONDS", help="end after so long without a message")
    ] = None,
    codec: Annotated[str | None, typer.Option("--codec", help="what reads the bodies, as in from_(...)")] = None,
    body: Annotated[bool, typer.Option("--body", help="print the bodies alone, as they are")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="print a line of JSON for each")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="acknowledge nothing: the source brings all of them again")] = (
        False
    ),
) -> None:
    """Take messages from an endpoint and print them; no daemon is needed.

    Each is acknowledged when it is printed: then it is gone from its source, as if a route had taken it. With --keep
    none is, and all are let go at the end.

    Exit code 1 if fewer came than --count within --timeout, or none.
    """

    async def work(setup: Setup) -> int:
        line = anyio.Lock()

        async def show(message: Message[Any]) -> None:
            async with line:  # one after the other, also of those that are held at the same time
                await anyio.to_thread.run_sync(_print, message, body, as_json_)

        receiving = Receiving(Target(uri, {}, codec), setup, show, count=count or None, patience=timeout, keep=keep)
        async with together() as tasks:
            tasks.start_soon(_obey_signals, receiving)
            shown = await receiving.run()
            tasks.cancel_scope.cancel()
        return shown

    with answering():
        if body and as_json_:
            raise BadOption("--body and --json both say what to print", hint="give one of them")
        given = settings()
        shown = _with_setup(given, catalog_of(given), work)
    if shown < max(count, 1):
        wanted = f"{shown} of {count} messages came" if count > 1 else "no message came"
        within = f" within {timeout:g} s" if timeout is not None else ""
        fail(Unanswered(f"{wanted} from {masked(uri)}{within}"), FAILED)


def _with_setup(given: Settings, catalog: Catalog, work: Callable[[Setup], Awaitable[R]]) -> R:
    """What `work` makes of a setup whose store is that of the settings, if there is one, for what endpoints keep."""
    begin_log(given)

    async def opened() -> R:
        with Watcher(err) as watcher:

            def watch(event: Event) -> None:
                if isinstance(event, Logged | Progress):  # the others tell of a route, and here is none
                    watcher(event)

            uri = given.options.store if _kept(given) else "memory:"
            async with catalog.open_store(uri, time) as store:
                return await work(setup_of(given, catalog, store=store, watch=watch))

    return anyio.run(opened)


def _kept(given: Settings) -> bool:
    """Whether there is a store; to look at an endpoint makes none."""
    uri = parse_uri(filled(given.options.store, given.lookup))
    return uri.scheme != "sqlite" or Path(uri.path).exists()


async def _obey_signals(receiving: Receiving) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            receiving.stop()


@contextmanager
def _stream(body: str | None, file: str | None) -> Generator[BinaryIO]:
    """Where the body is read from; raises BadOption."""
    if body is not None and file is not None:
        raise BadOption("--body and --file both say what the body is", hint="give one of them")
    if body is not None:
        yield BytesIO(body.encode(errors="surrogateescape"))
    elif file is not None and file != "-":
        yield from _file(Path(file))
    elif file is None and sys.stdin.isatty():
        raise BadOption("there is nothing to send", hint="give --body TEXT, --file FILE, or --file - and type it")
    elif file is None and not cast("BufferedReader", sys.stdin.buffer).peek(1):
        raise BadOption("the standard input is empty", hint="give --body TEXT or --file FILE")
    else:
        yield sys.stdin.buffer


def _file(path: Path) -> Generator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise BadOption(
            f"cannot read {path}: {error.strerror}", hint="--file names the file that is the body"
        ) from error
    with stream:
        yield stream


async def _whole(stream: BinaryIO, codec: Codec | None, headers: dict[str, Any]) -> AsyncGenerator[Message[Any]]:
    data = await anyio.to_thread.run_sync(stream.read, abandon_on_cancel=True)
    yield Message(_text(data) if codec is None else codec.decode(data), headers)


async def _records(stream: BinaryIO, codec: Codec | None, headers: dict[str, Any]) -> AsyncGenerator[Message[Any]]:
    """A message for each line or record, as soon as that is there; raises BodyError for one that cannot be read."""
    found = iter(_lines(stream) if codec is None else codec.records(stream))
    while (record := await anyio.to_thread.run_sync(next, found, None, abandon_on_cancel=True)) is not None:
        if isinstance(record, str | bytes):
            yield Message(record, headers)
        elif record.error is not None:
            raise BodyError(
                record.error, row=record.number, column=record.column, hint="nothing from there on was sent"
            )
        else:
            yield Message(record.body, headers)


def _lines(stream: BinaryIO) -> Iterable[str | bytes]:
    return (_text(line.rstrip(b"\r\n")) for line in stream if line.strip())


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _tell(sent: Sent, uri: str) -> None:
    if sent.error is not None:
        err.print(f"{sent.id}: not sent to {uri}: {_reason(sent.error)}", style="red")
        if hint := getattr(sent.error, "hint", ""):
            err.print(f"  {masked(hint)}")
        return
    out.print(f"{sent.id}: sent to {uri} in {1000 * sent.seconds:.1f} ms")
    for line in lines_of(Message(sent.answer, sent.headers)):
        out.print(line)


def _tell_as_json(sent: Sent, uri: str) -> None:
    told: dict[str, Any] = {"number": sent.number, "id": sent.id, "to": uri, "sent": sent.error is None}
    told["seconds"] = round(sent.seconds, 6)
    if sent.error is not None:
        told |= {"error": type(sent.error).__name__, "reason": _reason(sent.error)}
    else:
        answer = json_of(Message(sent.answer, sent.headers))
        told |= {"answer": answer["body"], "headers": answer["headers"]}
    typer.echo(json.dumps(told, default=str))


def _reason(error: Exception) -> str:
    message = getattr(error, "message", "") or str(error)
    return masked(message if hasattr(error, "message") else f"{type(error).__name__}: {message}")


def _print(message: Message[Any], body: bool, as_json: bool) -> None:
    """Print a message; raises BrokenPipeError if nobody reads it any more."""
    if body:
        data = bytes_of(message.body)
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
    elif as_json:
        sys.stdout.write(json.dumps(json_of(message), ensure_ascii=False, default=str) + "\n")
    else:
        typer.secho(message.id, bold=True)  # not by rich, which ends the process where nobody reads any more
        for line in lines_of(message):
            typer.echo(line)
    sys.stdout.flush()
