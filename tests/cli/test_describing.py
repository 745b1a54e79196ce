"""`describe` and `plugins`: what can be used, also when a plugin that is installed is broken."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def install(folder: Path, name: str, module: str, *points: str) -> dict[str, str]:
    """A distribution beside the installed ones; gives the environment in which it is found."""
    site = folder / "site"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{point} = {name}\n" for point in points)
    (info / "entry_points.txt").write_text(f"[routekit]\n{lines}")
    (site / f"{name}.py").write_text(module)
    return {"PYTHONPATH": str(site)}


def rows(table: str) -> Iterator[list[str]]:
    return (line.split() for line in table.splitlines()[1:])


def test_describe_an_endpoint(routekit: Any) -> None:
    """An endpoint is described by its usage, its documentation and a table of its options."""
    done = routekit("describe", "timer")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("timer, a source\n  timer:NAME?option=value\n\nA message at fixed times: ")
    lines = done.out.splitlines()
    every = next(line for line in lines if line.startswith("every"))
    assert every.split()[:3] == ["every", "duration", "1.0"]
    assert every.rstrip().endswith("seconds between two ticks")


def test_describe_tells_promises(routekit: Any) -> None:
    """What an endpoint promises stands below its options."""
    _, *promises = routekit("describe", "queue").out.split("promises:\n")
    assert [line.split(":")[0] for line in promises[0].splitlines()[:2]] == ["  ordered", "  volatile"]
    assert promises[0].partition("\n\n")[0] == promises[1].partition("\n\n")[0].rstrip()


def test_describe_as_json(routekit: Any) -> None:
    """As JSON the entries of a name have all that is in the text."""
    source, sink = routekit("describe", "queue", "--json").json
    assert (source["kind"], sink["kind"]) == ("source", "sink")
    assert sink["options"][1] == {
        "name": "size",
        "type": "int",
        "default": "1000",
        "doc": "messages in the queue at most; then the sender waits",
        "required": False,
        "per_message": False,
        "secret": False,
        "limits": ">= 1",
    }


def test_describe_as_a_page(routekit: Any) -> None:
    """As Markdown a name is a whole page, such as a plugin may ship with it."""
    done = routekit("describe", "queue", "--markdown")
    assert done.out.startswith("# queue\n\n## As a source\n\n`queue:NAME?option=value`")
    assert "| `size` | `int`, >= 1 | `1000` | messages in the queue at most; then the sender waits |\n" in done.out


def test_describe_says_what_there_is(routekit: Any) -> None:
    """Without a name, all names are told that may be asked for."""
    endpoints, steps, codecs = routekit("describe").out.splitlines()
    assert endpoints.startswith("endpoints: control, cron, direct, ")
    assert steps.startswith("steps: then, apply, ")
    assert "codec.bz2, codec.csv, codec." in codecs


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("tmier", "error: nothing is called 'tmier'\n  did you mean 'timer'?\n"),
        ("codec.cvs", "error: no codec 'cvs'\n  did you mean 'csv'?\n"),
    ],
)
def test_describe_what_is_not(routekit: Any, name: str, answer: str) -> None:
    """A name that is nothing is answered with the nearest, and exit code 2."""
    done = routekit("describe", name)
    assert (done.code, done.out, done.err) == (2, "", answer)


TEMPLATES = '''
from typing import Any
from routekit import Flow, from_
from ._shared import audited, secret_sauce

def poll(folder: str, *, every: float = 60.0, most: "int | None" = None) -> Flow[str]:
    """Files of a folder, one by one.

    They are read as text.
    """
    return from_(f"file:{folder}?poll={every}", str)

def unannotated(folder):
    return from_("timer:x")

def _private() -> Flow[Any]:
    return from_("timer:x")

invoices = poll("in/invoices").apply(audited, "invoices")
'''

SHARED = '''
from __future__ import annotations
import routekit as rk

def audited(flow: rk.Flow[str], log: str, level: str = "info") -> rk.Flow[str]:
    """Write a line for the auditors."""
    return flow.to(f"log:{log}?level={level}")

def secret_sauce() -> str:
    return "no flow"
'''


def test_describe_templates(routekit: Any) -> None:
    """Functions of route modules that give a Flow are listed, and described with their parameters."""
    routekit.write("routes/orders.py", TEMPLATES)
    routekit.write("routes/_shared.py", SHARED)
    routekit.write("routes/broken.py", "import no_such_module\n")
    assert routekit("describe").out.splitlines()[3] == "templates: _shared.audited, orders.poll"
    done = routekit("describe", "orders.poll")
    assert done.out.startswith("orders.poll, a template\n  orders.poll(folder)\n\nFiles of a folder, one by one.\n")
    assert [row[:3] for row in rows(done.out[done.out.index("option") :]) if row] == [
        ["folder", "str", "required"],
        ["every", "float", "60.0"],
        ["most", "int", "|"],
    ]
    (entry,) = routekit("describe", "_shared.audited", "--json").json
    assert (entry["kind"], entry["usage"]) == ("fragment", ".apply(_shared.audited, log)")
    assert [option["name"] for option in entry["options"]] == ["log", "level"]
    done = routekit("describe", "orders.pol")
    assert (done.code, done.err.splitlines()[1]) == (2, "  did you mean 'orders.poll'?")
    elsewhere = routekit("describe", "orders.poll", "nowhere/")
    assert (elsewhere.code, elsewhere.err.splitlines()[0]) == (2, "error: nothing is called 'orders.poll'")


def test_describe_imports_routes_only_if_it_has_to(routekit: Any) -> None:
    """What an endpoint is does not depend on the routes, which may be broken or slow to import."""
    routekit.write("routes/loud.py", "print('imported')\nfrom routekit import from_\nx = from_('timer:x')\n")
    assert "imported" not in routekit("describe", "timer").out
    assert "imported" in routekit("describe").out


def test_describe_the_settings(routekit: Any) -> None:
    """What the hint of a wrong setting says to type explains the settings."""
    hint = routekit("--set", "drain=soon", "describe").err.splitlines()[1]
    done = routekit(*hint.split()[1:])
    assert done.out.startswith("routekit, a table of settings\n")
    assert "seconds that messages in flight get when the service stops" in done.out


def test_types_with_brackets_are_shown_whole(routekit: Any) -> None:
    """A type such as `list[str]` is no markup that vanishes on the way to the screen."""
    module = """
from routekit import Producer, hookimpl
class Post(Producer):
    '''Posts [bold]letters[/bold].'''
    scheme = "post"
    name: str
    tags: list[str] = []
    def open(self, runtime): ...
@hookimpl
def register_endpoints():
    return [Post]
"""
    found = install(routekit.folder, "poster", module, "post")
    done = routekit("describe", "post", **found)
    assert "Posts [bold]letters[/bold]." in done.out
    assert ["tags", "list[str]", "[]"] in [row[:3] for row in rows(done.out)]


def test_plugins(routekit: Any) -> None:
    """Plugins are listed by what they offer, with kind, distribution and version."""
    listed = {row[0]: row[1:] for row in rows(routekit("plugins").out)}
    assert listed["timer"][:2] == ["endpoint", "routekit-eip"]
    assert listed["codec.csv"][:2] == ["codec", "routekit-eip"]
    assert listed["store.sqlite"][:2] == ["store", "routekit-eip"]
    (timer,) = (offer for offer in routekit("plugins", "--json").json if offer["name"] == "timer")
    assert timer["module"] == "routekit.endpoints.timer"
    assert (timer["kind"], timer["distribution"]) == ("endpoint", "routekit-eip")


def test_broken_plugin(routekit: Any) -> None:
    """A plugin that cannot be imported is listed, and stops only routes that use it: they name it."""
    broken = install(routekit.folder, "shaky", "import no_such_module\n", "shaky", "codec.shaky")
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:x").to("mock:y", codec="json")\n')
    assert ["shaky", "endpoint", "shaky", "1.0"] in list(rows(routekit("plugins", **broken).out))
    assert "codec.shaky" in routekit("describe", **broken).out
    assert routekit("check", **broken).code == 0
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:x").to("shaky:y")\n')
    done = routekit("check", **broken)
    assert done.code == 2
    assert done.err.splitlines() == [
        "routes/a.py:2: a.x: plugin 'shaky' (shaky 1.0) cannot be imported: "
        "ModuleNotFoundError(\"No module named 'no_such_module'\")",
        "    is it installed whole?",
    ]


def test_one_scheme_of_two_plugins(routekit: Any) -> None:
    """A scheme that two distributions offer is refused with both names, when it is used."""
    found = install(routekit.folder, "other", "", "mock")
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:x").to("mock:y")\n')
    done = routekit("check", **found)
    assert done.code == 2
    assert "'mock' is offered by other and routekit-eip" in done.err
    assert "uninstall one of them" in done.err


def test_hook_is_told(routekit: Any) -> None:
    """A plugin that watches is told every event of a run, and its own failure stops nothing."""
    module = """
from routekit import hookimpl
@hookimpl
def route_event(event):
    with open("seen.txt", "a") as seen:
        seen.write(type(event).__name__ + "\\n")
    raise RuntimeError("the watcher is ill")
"""
    found = install(routekit.folder, "watcher", module, "hook.watcher")
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:x?every=1ms&repeat=1").log("hello")\n')
    assert ["hook.watcher", "hook", "watcher", "1.0"] in list(rows(routekit("plugins", **found).out))
    running = routekit.start("--set", "store=memory:", "run", **found)
    assert running.ended() == 0
    assert "x: hello" in running.log
    assert "a route_event hook failed on" in running.log
    assert (routekit.folder / "seen.txt").read_text().split() == ["RouteStarted", "Logged", "RouteStopped"]
