"""`check`, `show` and `list`: what they print, and with which exit code they end."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD = '''"""Ticks become mocks."""

from routekit import from_

ticks = from_("timer:t?every=1s", int).filter(lambda n: n > 1).to("mock:out")
calls = from_("direct:inner").to("http://me:hunter2@host/x?token=hunter2")
'''
WRONG = """from routekit import from_

one = from_("tmier:x").to("mock:x?kep=1")
two = (
    from_("timer:x", codec="jsno")
    .to("direct:nobody")
)
"""


def test_check_of_good_routes(routekit: Any) -> None:
    """Routes without a problem are counted, and the exit code is 0."""
    routekit.write("routes/a.py", 'from routekit import from_\n\nticks = from_("timer:t").to("mock:out")\n')
    done = routekit("check")
    assert (done.code, done.out.splitlines()[0], done.err) == (0, "1 route, no problems", "")


PROMISING = """
from routekit import Policy, from_

def odd(n):
    return n % 2

kept = from_("timer:k", int, policy=Policy(durable="store")).filter(odd).to("control:stats?route=a.kept")
tick = from_("timer:t", int).to("queue:work")
work = from_("queue:work", int).to("log:out")
"""


LOST = (
    "      may be lost: timer:t does not bring again what was at work at a crash; "
    'write Policy(durable="store"), queue:...?durable=true'
)


def test_check_says_what_routes_promise(routekit: Any) -> None:
    """A line for each route and sink; what may be lost says why, and what to write."""
    routekit.write("routes/a.py", PROMISING)
    assert routekit("check").out.splitlines() == [
        "3 routes, no problems",
        "  delivery          ordered   crash     sink",
        "a.kept",
        "  effectively-once  yes       survives  control:stats?route=a.kept",
        "a.tick",
        "  at-most-once      yes       does not  log:out through a.work",
        LOST,
        "a.work",
        "  at-most-once      yes       does not  log:out",
        LOST,
        "with -v: why, and what would make it stronger",
    ]


def test_check_says_why(routekit: Any) -> None:
    """With -v the chain of reasons stands below each line; as JSON it is there in any case."""
    routekit.write("routes/a.py", PROMISING)
    told = routekit("check", "-v").out
    assert "      - filter(odd) drops those for which the predicate is false, as its author says\n" in told
    assert "      - may be lost: queue:work is memory\n" in told
    found = routekit("check", "--json").json["guarantees"][0]
    assert (found["route"], found["delivery"], found["survives"]) == ("a.kept", "effectively-once", True)
    assert found["reasons"][0].startswith('Policy(durable="store") keeps it in the store')


def test_check_holds_routes_to_what_they_require(routekit: Any) -> None:
    """A route that promises less is a problem, with the reasons and the words that help; serve does not start it."""
    routekit.write(
        "routes/a.py", PROMISING.replace('"timer:t", int', '"timer:t", int, policy=Policy(require="at_least_once")')
    )
    done = routekit("check")
    assert done.code == 2
    assert "a.tick: at_least_once is required at log:out, and that is at-most-once" in done.err
    assert "timer:t does not bring again" in done.err
    assert 'write Policy(durable="store")' in done.err
    served = routekit("serve")
    assert (served.code, "nothing was started" in served.err) == (2, True)
    assert routekit("--set", "store=memory:", "check").code == 2


def test_a_store_in_memory_promises_less(routekit: Any) -> None:
    """Of the settings, the store counts too."""
    routekit.write("routes/a.py", PROMISING)
    assert "effectively-once" not in routekit("--set", "store=memory:", "check").out


def test_check_of_wrong_routes(routekit: Any) -> None:
    """All problems are told at once, each with file, line, route and what to do; the exit code is 2."""
    routekit.write("routes/a.py", WRONG)
    routekit.write("routes/b.py", "from routekit import from_\nx = 1 / 0\n")
    routekit.write("routes/c.py", 'from routekit import from_\nfine = from_("timer:x")\n')
    done = routekit("check")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "routes/b.py:2: module 'b' cannot be imported: ZeroDivisionError: division by zero",
        "routes/a.py:3: a.one: no installed plugin offers 'tmier:'",
        "    did you mean 'timer'? (or install a plugin: pip install routekit-tmier)",
        "routes/a.py:3: a.one: mock: has no option 'kep'",
        "    did you mean 'keep'?",
        "routes/a.py:5: a.two: no codec 'jsno'",
        "    did you mean 'json'?",
        "routes/a.py:6: a.two: no route reads from 'direct:nobody'",
        "    start one: from_('direct:nobody')",
    ]


AWAY = """from routekit import Producer, Unavailable, from_

class Lonely(Producer):
    scheme = "lonely"
    place: str

    async def probe(self, runtime):
        raise Unavailable("nobody is there", hint="knock")

    def open(self, runtime):
        raise NotImplementedError

calls = from_("timer:t").to(Lonely(place="there"))
"""


def test_check_can_ask_the_other_sides(routekit: Any) -> None:
    """With --connect each endpoint that has another side tells what it found; if one is away the exit code is 1."""
    routekit.write("routes/a.py", 'from routekit import from_\n\nticks = from_("timer:t").to("mock:out")\n')
    done = routekit("check", "--connect")
    assert (done.code, done.out) == (0, "1 route, no problems\n")
    routekit.write("routes/b.py", AWAY)
    done = routekit("check", "--connect")
    assert (done.code, done.out.splitlines()[1:]) == (1, ["away b.calls: lonely:there: nobody is there", "     knock"])
    assert routekit("check", "--connect", "--json").json["endpoints"] == [
        {
            "route": "b.calls",
            "endpoint": "lonely:there",
            "there": False,
            "found": "nobody is there",
            "hint": "knock",
        }
    ]


def test_check_as_json(routekit: Any) -> None:
    """As JSON a check has the routes that were read and the problems, without their secrets."""
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("AMQP://me:hunter2@host")\n')
    routekit.write("routes/b.py", "raise ValueError('amqp://me:hunter2@host')\n")
    done = routekit("check", "--json")
    assert (done.code, done.err) == (2, "")
    assert done.json == {
        "routes": ["a.x"],
        "problems": [
            {
                "place": "routes/b.py:1",
                "route": "",
                "message": "module 'b' cannot be imported: ValueError: amqp://me:***@host",
                "hint": "",
            },
            {
                "place": "routes/a.py:2",
                "route": "a.x",
                "message": "'AMQP://me:***@host' is no endpoint",
                "hint": "write scheme:path?option=value",
            },
        ],
        "guarantees": [],
    }


def test_check_reads_the_settings(routekit: Any) -> None:
    """A placeholder that the settings beside the routes have is no problem."""
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:${NAME}")\n')
    assert "no value for ${NAME}" in routekit("check").err
    routekit.write("routekit.toml", '[values]\nNAME = "x"\n')
    assert routekit("check").code == 0


def test_check_finds_what_settings_lack(routekit: Any) -> None:
    """A placeholder without a value in a table for a plugin is a problem, though no route has asked for it yet."""
    routekit.write("routes/a.py", 'from routekit import from_\nx = from_("timer:t")\n')
    routekit.write("routekit.toml", '[http.crm.auth]\ntoken = "${NO_SUCH_TOKEN}"\n')
    done = routekit("check")
    assert done.code == 2
    assert "routekit.toml:2: [http.crm.auth] token: no value for ${NO_SUCH_TOKEN}" in done.err


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["check"], "there is no '{}/routes'", "give a folder of route modules, or one module"),
        (["list", "empty"], "no route in '{}/empty'", "a route is a module-level variable: name = from_(...)"),
        (["show", "good", "--route", "a.tick"], "there is no route 'a.tick'", "did you mean 'a.ticks'?"),
        (["--config", "nope.toml", "check", "good"], "cannot read the settings nope.toml: No such file", "--config"),
        (["--set", "drain", "check", "good"], "--set drain: no value", "write --set name=value"),
        (["--set", "drian=1", "check", "good"], "--set drian: there is no option 'drian'", "did you mean 'drain'?"),
        (
            ["--set", "drain=soon", "check", "good"],
            "--set: routekit: 'drain': input should be",
            "routekit describe routekit",
        ),
    ],
)
def test_what_cannot_be_done(routekit: Any, arguments: list[str], message: str, hint: str) -> None:
    """A request that cannot be done is answered with what is wrong, what to do, and exit code 2; nothing else."""
    routekit.write("good/a.py", GOOD)
    (routekit.folder / "empty").mkdir()
    done = routekit(*arguments)
    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.startswith("error: " + message.format(routekit.folder))
    assert second.startswith("  " + hint)


def test_show_as_text(routekit: Any) -> None:
    """As text each route is a tree, one after the other, with its place and without its secrets."""
    routekit.write("routes/a.py", GOOD)
    done = routekit("show")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "a.calls  (routes/a.py:6)\n"
        "from direct:inner\n"
        "└─ to http://me:***@host/x?token=***\n"
        "\n"
        "a.ticks  (routes/a.py:5)\n"
        "from timer:t?every=1s\n"
        "├─ filter(n > 1)\n"
        "└─ to mock:out\n"
    )


def test_show_as_mermaid_and_json(routekit: Any) -> None:
    """A chosen route can be had as Mermaid and as JSON."""
    routekit.write("routes/a.py", GOOD)
    assert routekit("show", "--route", "a.ticks", "--as", "mermaid").out == (
        "flowchart TD\n"
        '  subgraph "a.ticks"\n'
        '    n1(["timer:t?every=1s"])\n'
        '    n2{{"filter(n #gt; 1)"}}\n'
        "    n1 --> n2\n"
        '    n3[("to mock:out")]\n'
        "    n2 --> n3\n"
        "  end\n"
    )
    (route,) = routekit("show", "--route", "a.ticks", "--as", "json").json
    assert (route["name"], route["doc"]) == ("a.ticks", "Ticks become mocks.")
    assert [step["kind"] for step in route["steps"]] == ["from", "filter", "to"]


def test_show_what_can_be_read(routekit: Any) -> None:
    """Modules that cannot be read are told beside the drawing of the others."""
    routekit.write("routes/a.py", GOOD)
    routekit.write("routes/b.py", "x = (\n")
    done = routekit("show", "--as", "json")
    assert [route["name"] for route in done.json] == ["a.calls", "a.ticks"]
    assert done.err == "routes/b.py:1: module 'b' cannot be imported: SyntaxError: '(' was never closed\n"


def test_list(routekit: Any) -> None:
    """Routes are listed with source and place, one line each however long; as JSON with their doc as well."""
    name = "x" * 120
    routekit.write("routes/a.py", f'"""Doc."""\nfrom routekit import from_\n{name} = from_("timer:{name}")\n')
    done = routekit("list")
    assert [line.split() for line in done.out.splitlines()] == [
        ["route", "source", "written", "at"],
        [f"a.{name}", f"timer:{name}", "routes/a.py:3"],
    ]
    assert routekit("list", "--json").json == [
        {"name": f"a.{name}", "source": f"timer:{name}", "place": "routes/a.py:3", "doc": "Doc."}
    ]


def test_reader_that_has_seen_enough(routekit: Any) -> None:
    """Output into a pipe whose reader has gone, such as `head`, is no error worth a word."""
    doc, flows = "x" * 2000, "".join(f"r{n} = from_('timer:x')\n" for n in range(200))
    routekit.write("routes/a.py", f'"""{doc}"""\nfrom routekit import from_\n{flows}')
    done = subprocess.run(
        ["/bin/sh", "-c", '"$ROUTEKIT" list --json | head -n 1'],
        cwd=routekit.folder,
        env=routekit.environ | {"ROUTEKIT": str(Path(sys.executable).with_name("routekit"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[\n", "")
