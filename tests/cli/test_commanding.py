"""Commands that plugins bring: listed without being imported, loaded when asked for, told as all others are."""

from pathlib import Path
from typing import Any

from .test_describing import install

LEDGER = '''
"""Commands of a stranger."""
print("imported")
from typing import Annotated
import typer
from routekit import Unavailable, hookimpl
from routekit.commanding import As, AsJson, chosen, deed, name_of, out, print_json, project

ledger = typer.Typer(help="Look into the ledger.", no_args_is_help=True)


@ledger.command()
def numbers(as_json: AsJson = False) -> None:
    """List the numbers of the routes."""
    found = project().values(int)
    print_json(dict(found)) if as_json else out.print(", ".join(found))


@ledger.command()
def note(name: str, who: As = None) -> None:
    """Keep a number."""
    here = project()
    number = chosen(name, here.values(int), "number")

    async def work(runtime):
        assert runtime.settings("acme", "desk") == {"place": "Rome"}
        await runtime.store.values("ledger").put(name, str(number))
        await deed(runtime, name_of(who), "ledger.note", name, f"it is {number}")
        return [key for key, _ in await runtime.store.values("ledger").items()]

    out.print(f"kept: {here.run(work, 'ledger', keeps=True)}")


@ledger.command()
def look() -> None:
    """Look at what is kept."""

    async def work(runtime):
        return await runtime.store.values("ledger").get("shop.many")

    out.print(str(project().run(work, "ledger")))


@ledger.command()
def fail() -> None:
    """Fail."""
    raise Unavailable("the desk is closed", hint="come back at nine")


@hookimpl
def register_commands():
    return {"ledger": ledger}
'''

ROUTES = """
from routekit import from_
few, many = 3, 40
tick = from_("timer:x?every=1ms&repeat=1").log("hello")
"""


def with_summary(folder: Path, name: str, summary: str) -> None:
    with (folder / "site" / f"{name}-1.0.dist-info" / "METADATA").open("a") as metadata:
        metadata.write(f"Summary: {summary}\n")


def test_it_is_listed_by_its_summary_and_not_imported(routekit: Any) -> None:
    """`routekit --help` has the first words of the distribution's summary; the plugin is not imported for it."""
    found = install(routekit.folder, "ledger", LEDGER, "command.ledger")
    with_summary(routekit.folder, "ledger", "Ledgers for RouteKit: all that was booked.")
    done = routekit("--help", **found)
    assert done.code == 0
    assert "Brought by plugins:" in done.out
    assert [line.split() for line in done.out.splitlines() if line.split()[:1] == ["ledger"]] == [
        ["ledger", "Ledgers", "for", "RouteKit", "(ledger)"]
    ]
    assert "imported" not in done.said
    listed = {line.split()[0]: line.split()[1] for line in routekit("plugins", **found).out.splitlines()}
    assert listed["command.ledger"] == "command"


def test_it_runs_in_the_project(routekit: Any) -> None:
    """It finds values of the route modules, settings and store, and its deeds are in the audit."""
    found = install(routekit.folder, "ledger", LEDGER, "command.ledger")
    routekit.write("routes/shop.py", ROUTES)
    routekit.write("routekit.toml", '[acme.desk]\nplace = "Rome"\n')
    assert routekit("ledger", "numbers", **found).out == "imported\nshop.few, shop.many\n"
    looked = routekit("ledger", "look", **found)
    assert (looked.code, looked.out) == (0, "imported\nNone\n")
    assert not (routekit.folder / "data").exists(), "looking makes no store"
    noted = routekit("ledger", "note", "shop.many", "--as", "ada", **found)
    assert (noted.code, noted.out) == (0, "imported\nkept: ['shop.many']\n"), noted.said
    assert "text='40'" in routekit("ledger", "look", **found).out
    audited = routekit("letters", "audit").out
    assert [word in audited for word in ("ada", "ledger.note", "shop.many", "it is 40")] == [True] * 4


def test_its_errors_are_told_as_all_are(routekit: Any) -> None:
    """One clear line with what to do, and the exit code of what kind of error it is; never a traceback."""
    found = install(routekit.folder, "ledger", LEDGER, "command.ledger")
    routekit.write("routes/shop.py", ROUTES)
    failed = routekit("ledger", "fail", **found)
    assert (failed.code, failed.err) == (1, "error: the desk is closed\n  come back at nine\n")
    wrong = routekit("ledger", "note", "shop.mny", **found)
    assert (wrong.code, wrong.err) == (2, "error: there is no number 'shop.mny'\n  did you mean 'shop.many'?\n")
    misspelt = routekit("legder", **found)
    assert (misspelt.code, "Did you mean 'ledger'" in misspelt.err) == (2, True), misspelt.err


def test_a_broken_one_stops_nobody_else(routekit: Any) -> None:
    """Asked for, it says what is wrong; the list, other commands and a shell that completes are as ever."""
    found = install(routekit.folder, "ledger", "import not_there_at_all\n", "command.ledger")
    done = routekit("ledger", **found)
    assert done.code == 2
    assert "plugin 'command.ledger' (ledger 1.0) cannot be imported" in done.err
    assert "is it installed whole?" in done.err
    assert " ledger " in routekit("--help", **found).out
    assert routekit("plugins", **found).code == 0
    completing = {"_ROUTEKIT_COMPLETE": "complete_bash", "COMP_WORDS": "routekit le", "COMP_CWORD": "1"}
    assert routekit(**completing, **found).out.split() == ["letters"]


def test_one_that_registers_nothing_is_told(routekit: Any) -> None:
    """An entry point whose module has no such command is the fault of its publisher."""
    found = install(routekit.folder, "ledger", "", "command.ledger")
    done = routekit("ledger", **found)
    assert (done.code, "registers no command 'ledger'" in done.err) == (2, True), done.err


def test_a_command_of_the_core_is_not_replaced(routekit: Any) -> None:
    """Whatever is installed, `check` is ours."""
    found = install(routekit.folder, "ledger", LEDGER, "command.check")
    routekit.write("routes/shop.py", ROUTES)
    done = routekit("check", **found)
    assert (done.code, "imported" in done.said) == (0, False), done.said
    assert [line for line in routekit("--help", **found).out.splitlines() if "(ledger)" in line] == []
