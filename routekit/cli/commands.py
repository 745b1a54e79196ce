"""What commands there are, and in which module each is: one that is asked for is loaded, and no other.

Plugins bring more, by entry points `command.NAME`. Those of the core keep their names, whatever is installed.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple, cast

from typer.core import TyperGroup
from typer.main import get_command, get_group

from ..errors import LoadError
from ..hookspecs import GROUP
from ..plugins import COMMAND, Catalog


class Command(NamedTuple):
    """What the list of commands says of one, and the modules, separated by blanks, that make it."""

    modules: str
    says: str


GROUPS: Mapping[str, Mapping[str, Command]] = {
    "Write routes": {
        "new": Command("making", "Begin a project, a route or a plugin"),
        "dev": Command("developing", "Run routes while you write them: reload, stubs, console"),
        "check": Command("inspecting", "Find what cannot work, and print what each route promises"),
        "show": Command("inspecting", "Draw routes: a text tree, Mermaid, or JSON"),
        "list": Command("inspecting", "List routes: name, source, where they are written"),
        "describe": Command("inspecting", "Explain an endpoint, codec, step or template, with its options"),
        "plugins": Command("inspecting", "List what the installed plugins offer"),
        "explain-errors": Command("explaining", "Tell what would become of errors at each step"),
        "simulate": Command("simulating", "Crash-test routes in virtual time"),
    },
    "Run them": {
        "serve": Command("running", "Run routes until stopped: the daemon"),
        "run": Command("running", "Run routes until nothing is left to do"),
        "send": Command("sending", "Send a message to an endpoint by hand"),
        "receive": Command("sending", "Take messages from an endpoint, and print them"),
        "doctor": Command("doctoring", "Look at all that a daemon needs, and say what is wrong"),
    },
    "Look at the daemon": {
        "ps": Command("watching", "List its routes: state, rate, failures"),
        "top": Command("overlooking", "Watch its routes live"),
        "get": Command("getting", "Print endpoints, messages in flight, groups, breakers, ..."),
        "log": Command("watching", "Print its log, and follow it"),
        "trace": Command("tracing", "List messages that were traced"),
        "explain": Command("tracing", "Tell why a traced message went where it went"),
    },
    "Steer it": {
        "start": Command("steering", "Start a route that was stopped"),
        "stop": Command("steering", "Stop a route when what it has at work is done"),
        "pause": Command("steering", "Let a route take no more messages"),
        "resume": Command("steering", "Let a route that was paused take messages again"),
        "concurrency": Command("steering", "Change how many messages of a route may be in flight"),
        "flush": Command("steering", "Let the groups that a step keeps go on now"),
        "breaker": Command("steering", "Open or close a circuit breaker"),
        "reload": Command("steering", "Load changed route modules anew"),
    },
    "Look after the rest": {
        "letters": Command("lettering mending", "Find dead letters, edit, try and replay them, or discard them"),
        "capture": Command("capturing", "Make a test of an incident that fails as it did"),
        "store": Command("storing", "See what the store holds, and its space; copy it"),
        "config": Command("configuring", "See what is set, and where"),
        "completion": Command("completing", "Print the script that completes words in a shell"),
    },
}
COMMANDS: Mapping[str, Command] = {name: one for group in GROUPS.values() for name, one in group.items()}


class Commands(TyperGroup):
    """The commands of `app`: each puts itself there when its module is loaded, which is when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name in COMMANDS:  # what a misspelt name is compared with
            self.commands.setdefault(name, cast("Any", None))

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, loaded or not."""
        return [*COMMANDS, *brought()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, loaded; None for a name that there is not. Raises LoadError for one whose plugin is broken."""
        if cmd_name in COMMANDS:
            return commands(cmd_name)[cmd_name]
        for name in brought():
            self.commands.setdefault(name, cast("Any", None))
        if cmd_name not in brought():
            return None
        try:
            return _of_plugin(cmd_name)
        except LoadError:
            if ctx.resilient_parsing:  # a shell asks, which is offered the others
                return None
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run what was asked for; what a plugin's command raises is told as all errors are."""
        from .app import answering

        with answering():
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands for people, without loading any."""
        width = max(map(len, self.list_commands(ctx)))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", one.says) for name, one in group.items()])
        if brought():
            with formatter.section("Brought by plugins"):
                formatter.write_dl([(f"{name:<{width}}", says) for name, says in brought().items()])


@cache
def brought() -> Mapping[str, str]:
    """The commands of plugins, each with how its distribution sums itself up; no plugin is imported for it."""
    points = {
        point.name.removeprefix(COMMAND): point for point in entry_points(group=GROUP) if point.name.startswith(COMMAND)
    }
    return {name: _summary(points[name].dist) for name in sorted(points) if name not in COMMANDS}


def _summary(distribution: Any) -> str:
    """The first words of its summary, up to a full stop, colon or semicolon, and its name."""
    if distribution is None:
        return ""
    first = re.split(r"[.:;](?:\s|$)", distribution.metadata.get("Summary") or "", maxsplit=1)[0]
    return f"{first} ({distribution.name})".strip()


def _of_plugin(name: str) -> Any:
    command = get_command(Catalog().command(name))
    command.name = name
    return command


def commands(*names: str) -> Mapping[str, Any]:
    """These commands, or all, by name, with those that are loaded already."""
    from .app import app

    for module in sorted(set(_modules(names or tuple(COMMANDS)))):
        import_module(f".{module}", __package__)
    return {name: one for name, one in get_group(app).commands.items() if cast("Any", one)}


def _modules(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from COMMANDS[name].modules.split()
