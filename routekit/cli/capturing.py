"""`routekit capture`: an incident becomes a test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DefinitionError
from ..lettering.recording import written
from ..store import Store
from .app import AsJson, answering, app, catalog_of, err, out, print_json, settings, setup_of
from .lettering import with_store
from .mending import assigned
from .running import checked
from .whom import As, name_of

if TYPE_CHECKING:
    from ..lettering.capturing import Capture


@app.command()
def capture(
    message: Annotated[str, typer.Argument(help="id of a dead letter, or of a message that is one or is journaled")],
    as_test: Annotated[Path, typer.Option("--as-test", metavar="FILE", help="the test file to write")],
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="SINK=JSON", help="what a sink answered, where that was not recorded"),
    ] = None,
    routes: Annotated[Path, typer.Option("--routes", help="folder of route modules")] = Path("routes"),
    who: As = None,
    as_json_: AsJson = False,
) -> None:
    """Write a pytest file that fails today as the message did: its input, recorded answers, clock and chance.

    It runs without any server. It is tried in memory before it is written, and what differs is said.
    """
    from ..lettering.capturing import Capture, captured, refuse_to_overwrite  # the twins of tests take time to load
    from ..lettering.testfile import text_of

    with answering():
        refuse_to_overwrite(as_test)
        given = settings(routes)
        catalog = catalog_of(given)
        those_routes = checked(routes, None, given)
        answers: dict[str, Any] = dict(assigned(one, "--answer") for one in answer or ())

        async def work(store: Store) -> Capture:
            setup = setup_of(given, catalog, store=store)
            incident = await captured(store, message, those_routes, setup, answers)
            _write(as_test, text_of(incident, as_test, routes if routes.is_dir() else routes.parent))
            letter = incident.letter
            await written(store, setup, name_of(who), "capture", letter.id, f"message {letter.message_id}: {as_test}")
            return Capture(
                file=str(as_test),
                letter=letter.id,
                route=letter.route,
                error=letter.error,
                step=letter.step,
                recorded=[one.to for one in incident.answers],
                silent=list(incident.silent),
                differs=incident.differs,
                private=list(incident.private),
            )

        made = with_store(work, given, catalog)
    if as_json_:
        print_json(made.model_dump())
        return
    _say(made)


def _write(file: Path, text: str) -> None:
    """A new file; nothing that is there is overwritten, even if it has come this moment."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as error:
        raise DefinitionError(f"'{file}' cannot be written: {error.strerror}", hint="give another name") from error


def _say(made: "Capture") -> None:
    out.print(f"{made.file} is written; run it: pytest {made.file}")
    if made.error and not made.differs:
        out.print(f"it fails as the message did: {made.error} at {made.step}")
    for to in made.silent:
        out.print(f"{to}: no answer is recorded; --answer '{to}=JSON' gives one")
    if made.differs:
        err.print(f"warning: it does not fail as the message did: {made.differs}")
    if made.private:
        err.print(f"warning: look for secrets and personal data before you share it: {', '.join(made.private)}")
