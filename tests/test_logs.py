"""Logs: what a line says, in each form, and that nothing from outside can forge one."""

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from routekit import Message, from_, in_thread, secrecy
from routekit.console import Watcher
from routekit.events import Logged, Refused, RoutePaused, RouteStarted
from routekit.logs import Form, also_to, log_to
from routekit.secrecy import keep_secret
from routekit.testing import Feed, Run, run_routes, setup_for

ROOT = Path(__file__).parents[1]
mine = logging.getLogger("shop.orders")


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """The log goes where it went before."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before
    for name in ("shop", "shop.orders", "json"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(False)


@pytest.fixture(autouse=True)
def no_secrets_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is a secret here is none in the tests that follow in this process."""
    monkeypatch.setattr(secrecy, "_known", secrecy._Known())  # there is no way to forget one, on purpose


class Paper:
    """What is written."""

    def __init__(self, form: Form, level: str = "info", **options: Any) -> None:
        self.text = StringIO()
        console = Console(file=self.text, width=200, no_color=True, highlight=False)
        log_to(console, level, form=form, **options)
        self.watcher = Watcher(console)

    @property
    def lines(self) -> list[str]:
        return self.text.getvalue().split("\n")[:-1]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def failing(text: str, cause: Exception | None = None) -> None:
    raise ValueError(text) from cause


def test_json_has_its_fields() -> None:
    """Time in UTC with milliseconds, level, logger and text; of an event also its kind and what it concerns."""
    paper = Paper("json")
    paper.watcher(RouteStarted("shop.orders"))
    mine.warning("hello %s", "Ann")
    started, said = paper.records
    assert started.pop("time").endswith("Z")
    assert len(said.pop("time")) == len("2026-11-21T03:12:07.120Z")
    text = "shop.orders: running"
    assert started == {
        "level": "info",
        "logger": "routekit",
        "text": text,
        "route": "shop.orders",
        "event": "RouteStarted",
    }
    assert said == {"level": "warning", "logger": "shop.orders", "text": "hello Ann"}


def test_errors_are_data() -> None:
    """In JSON an error has its class, its text, where it was raised, and its cause; the line stays one line."""
    paper = Paper("json")
    try:
        failing("amqp://me:hunter2@host\nis wrong", KeyError("vat"))
    except ValueError as error:
        mine.exception("failed")
        paper.watcher(Refused("r", "m1", "to mock:x", error))
    logged, refused = paper.records
    assert logged["error"]["class"] == refused["error"]["class"] == "ValueError"
    assert logged["error"]["text"] == "amqp://me:***@host\nis wrong"
    assert logged["error"]["cause"] == "KeyError: 'vat'"
    assert logged["error"]["at"][-1].endswith(" in failing")
    assert (refused["route"], refused["message"], refused["step"]) == ("r", "m1", "to mock:x")
    assert "hunter2" not in paper.text.getvalue()


@pytest.mark.parametrize("form", ["plain", "pretty"])
def test_errors_for_people(form: Form) -> None:
    """The traceback stands below the line, indented, masked, and as it is in no line of its own."""
    paper = Paper(form)
    try:
        failing("http://a:hunter2@h\n2026-01-01 00:00:00,000 INFO    all is well\x1b[2J")
    except ValueError:
        mine.exception("failed")
    assert "hunter2" not in paper.text.getvalue()
    assert "\x1b" not in paper.text.getvalue()
    assert "failed" in paper.lines[0]
    assert "ValueError: http://a:***@h" in paper.text.getvalue()
    assert all(line.startswith("    ") for line in paper.lines[1:])


@pytest.mark.parametrize("form", ["plain", "json"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=st.text())
def test_a_line_stays_one_line(form: Form, text: str) -> None:
    """Whatever comes from outside: it neither ends the line nor steers a terminal, and JSON stays JSON."""
    paper = Paper(form)
    mine.error("%s", f"got {text}")
    written = paper.text.getvalue()
    assert written.count("\n") == 1
    assert written.splitlines() == [written[:-1]]
    assert not any((ord(sign) < 32 and sign not in "\n\t") or 127 <= ord(sign) < 160 for sign in written)
    if form == "json":
        assert paper.records[0]["text"] == f"got {text}"


def test_arguments_that_do_not_fit_cost_no_line() -> None:
    """The text is written, with what was wrong."""
    paper = Paper("json")
    logging.getLogger().handlers = logging.getLogger().handlers[-1:]  # that of pytest would raise
    mine.error("%d of %s", "x")
    assert paper.records[0]["text"] == "%d of %s (TypeError in its arguments)"


@pytest.mark.anyio
async def test_authors_lines_say_where_they_were_written() -> None:
    """Route, step and message id are in each line that a step's function writes, in a thread too."""
    paper = Paper("json")

    def say(body: int) -> int:
        mine.info("said")
        return body

    flow = from_(Feed([Message(1, id="m1")]), int).transform(say).transform(in_thread(say))
    await run_routes(flow)
    assert [(one["route"], one["step"], one["message"]) for one in paper.records if one["text"] == "said"] == [
        ("route-1", "transform(say)", "m1")
    ] * 2


@pytest.mark.anyio
async def test_plain_lines_say_what_their_text_does_not() -> None:
    """What the line is about follows in brackets."""
    paper = Paper("plain")
    watched = Run()
    setup = setup_for(watched, watch=paper.watcher)
    flow = from_(Feed([Message(1, id="m1")]), int).log("got {body}").transform(lambda n: mine.warning("hm") or n)
    await run_routes(flow, setup=setup)
    lines = [line[32:] for line in paper.lines]
    assert "route-1: got 1 [m1]" in lines
    (own,) = [line for line in lines if line.startswith("hm")]
    assert own.startswith("hm [route-1, transform(")
    assert own.endswith(", m1]")


@pytest.mark.anyio
async def test_a_line_about_another_route_is_not_about_this_message() -> None:
    """A message that pauses another route is not said to be in it."""
    paper = Paper("json")

    def pause(body: int) -> int:
        paper.watcher(RoutePaused("other", "asked"))
        return body

    await run_routes(from_(Feed([Message(1, id="m1")]), int).transform(pause))
    (line,) = [one for one in paper.records if one.get("event") == "RoutePaused"]
    assert (line["route"], line.get("message"), line.get("step")) == ("other", None, None)


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["plain", "json"])
async def test_bodies_only_when_asked_for(form: Form) -> None:
    """And then masked by the names of their fields."""

    def say(body: dict[str, Any]) -> dict[str, Any]:
        mine.info("said")
        return body

    flow = from_(Feed([{"name": "Ann", "password": "hunter2"}]), dict).transform(say)
    for bodies in (False, True):
        paper = Paper(form, bodies=bodies)
        await run_routes(flow)
        assert ("Ann" in paper.text.getvalue()) is bodies
        assert "hunter2" not in paper.text.getvalue()


@pytest.mark.parametrize("form", ["plain", "pretty", "json"])
def test_secrets_are_masked_by_value(form: Form) -> None:
    """In texts, in errors and in the names of what a line concerns."""
    keep_secret("kookaburra-1")
    paper = Paper(form)
    try:
        failing("at kookaburra-1")
    except ValueError:
        mine.exception("with %s", "kookaburra-1", extra={"step": "to log:kookaburra-1"})
    assert "kookaburra" not in paper.text.getvalue()
    assert paper.text.getvalue().count("***") >= 3


@pytest.mark.parametrize("form", ["plain", "json"])
def test_an_author_may_say_more_of_a_line(form: Form) -> None:
    """With whatever names and values: none of them costs the line, or shows a body."""
    paper = Paper(form)
    extra = {"error": "text", "body": "hunter2", "route": 7, "step": None, "event": ["x"], "message_id": 1.5}
    mine.warning("said", extra=extra)
    (line,) = paper.lines
    assert "said" in line
    assert "hunter2" not in line


def test_levels_of_single_loggers() -> None:
    """A level holds for a logger and all below it; the others have that of the log."""
    paper = Paper("json", "warning", levels={"shop": "debug"})
    mine.debug("shown")
    logging.getLogger("stall").info("not shown")
    logging.getLogger("stall").warning("shown too")
    assert [one["text"] for one in paper.records] == ["shown", "shown too"]


def test_libraries_are_quiet() -> None:
    """Code that was installed writes warnings, unless its logger is asked for; the author's own code all it says."""
    code = compile("def say(log):\n    log.info('info')\n    log.warning('warning')\n", json.__file__, "exec")
    library: dict[str, Callable[[logging.Logger], None]] = {}
    exec(code, library)
    paper = Paper("json")
    library["say"](logging.getLogger("json"))
    assert [one["text"] for one in paper.records] == ["warning"]
    paper = Paper("json", levels={"json": "info"})
    library["say"](logging.getLogger("json.decoder"))
    assert [one["text"] for one in paper.records] == ["info", "warning"]


def test_warnings_of_python_are_lines() -> None:
    """And not text that is in no form."""
    paper = Paper("json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = paper.records
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "DeprecationWarning: old" in line["text"]


def test_a_second_call_takes_the_place_of_the_first() -> None:
    """Lines are not doubled, and handlers of others stay."""
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    first, second = Paper("plain"), Paper("plain")
    second.watcher(Logged("r", "info", "x"))
    assert (first.lines, len(second.lines)) == ([], 1)
    assert other in logging.getLogger().handlers


@pytest.mark.anyio
async def test_another_handler_gets_the_same_lines() -> None:
    """With what they say of messages, and without what libraries say."""
    paper = Paper("json")
    heard: list[logging.LogRecord] = []
    other = logging.Handler()
    other.emit = heard.append
    also_to(other)
    await run_routes(from_(Feed([Message(1, id="m1")]), int).transform(lambda n: mine.info("said") or n))
    (own,) = [record for record in heard if record.getMessage() == "said"]
    assert [getattr(own, name) for name in ("route", "message_id")] == ["route-1", "m1"]
    assert len(heard) == len(paper.lines)


def test_the_library_configures_no_logging() -> None:
    """Importing it and running routes in a program leaves the loggers as they were, and writes nothing."""
    program = """
import logging, anyio
import routekit, routekit.runtime.service, routekit.settings
from routekit import from_
from routekit.plugins import Catalog
from routekit.testing import Feed, run_routes
Catalog().codecs()
anyio.run(run_routes, from_(Feed([1, 2]), int).log("x").transform(lambda n: n))
root = logging.getLogger()
assert (root.handlers, root.level, root.filters) == ([], logging.WARNING, []), root.handlers
for name, logger in logging.root.manager.loggerDict.items():
    if name.startswith("routekit") and isinstance(logger, logging.Logger):
        assert (logger.handlers, logger.level, logger.propagate) == ([], logging.NOTSET, True), name
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
