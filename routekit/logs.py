"""Logs: the lines of the daemon's log, for people or for machines.

A library never says where log lines go, so nothing of this happens but where `log_to` is called, by the command line.
Each line that is written while a message is at work has the message's id, its route and the step that it is at, whoever
writes it. What came from outside can neither begin a line of its own nor steer the terminal, and secrets are masked.
"""

import json
import logging
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb, format_exception
from typing import Any, Final, Literal, TypeAlias

from rich.console import Console as RichConsole
from rich.logging import RichHandler

from .discretion import Discreet
from .options import masked
from .runtime.failure import failure_of
from .runtime.whereabouts import whereabouts
from .sensitive import masked_body

Form: TypeAlias = Literal["pretty", "plain", "json"]

LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

FIELDS: Final = ("route", "step", "message_id")
"""The attributes of a record that say what it concerns."""

FRAMES: Final = 30
"""Lines of a traceback that JSON has at most: the innermost."""

BODY: Final = 2_000
"""Characters of a body that a line has at most."""

_VISIBLE = {
    code: repr(chr(code))[1:-1]
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if code != ord("\t")
}
"""Characters that steer: those that control a terminal, those that end lines, and those that turn their direction."""

_ESCAPED = {code: f"\\u{code:04x}" for code in _VISIBLE if code > 31}
"""The same in JSON, which escapes the first 32 itself."""

_OTHERS = tuple({f"{Path(path)}{os.sep}" for name, path in sysconfig.get_paths().items() if name.endswith("lib")})
"""Where the code of other people is: what that says below a warning is left out."""


def log_to(
    stream: RichConsole,
    level: str,
    *,
    form: Form | None = None,
    levels: Mapping[str, str] | None = None,
    bodies: bool = False,
    keys: Sequence[str] = (),
) -> None:
    """Write the log of this process to `stream`, in a form that fits it: pretty on a terminal, else plain.

    `level` holds for RouteKit and for the author's own loggers; those of libraries write warnings. `levels` are those
    of single loggers, with all that is below them. `bodies`: lines about a message have its body, masked. `keys` are
    names of fields that are sensitive besides those that RouteKit knows.
    """
    form = form or ("pretty" if stream.is_terminal else "plain")
    root, handler = logging.getLogger(), _handler(stream, form)
    handler.addFilter(Bearings(bodies=bodies, keys=keys))
    handler.addFilter(_Chosen(levels or {}))
    root.handlers = [*(one for one in root.handlers if not getattr(one, _OURS, False)), handler]
    root.setLevel(LEVELS[level])
    for name, own in (levels or {}).items():
        logging.getLogger(name).setLevel(LEVELS[own])
    logging.captureWarnings(True)


def also_to(handler: logging.Handler) -> None:
    """Give the lines that `log_to` writes to another handler too, with all that they say of messages."""
    root = logging.getLogger()
    for one in root.handlers:
        if getattr(one, _OURS, False):
            handler.filters = [*handler.filters, *one.filters]
    root.addHandler(handler)


_OURS = "routekit_made"
_BODY = "routekit_body"
_CLEAN = "routekit_clean"
"""Attributes of handlers and records whose names nobody else has."""


def _handler(stream: RichConsole, form: Form) -> logging.Handler:
    handler: logging.Handler
    if form == "pretty":
        handler = RichHandler(console=stream, show_path=False, markup=False, rich_tracebacks=False)
        handler.setFormatter(Plain("%(message)s"))
    else:
        handler = logging.StreamHandler(stream.file)
        handler.setFormatter(AsJson() if form == "json" else Plain("%(asctime)s %(levelname)-7s %(message)s"))
    setattr(handler, _OURS, True)
    return handler


class Bearings(logging.Filter):
    """Gives each record the route, the step and the message that it concerns; it lets all of them pass.

    The code that writes a line is looked at, and nothing is noted for who writes none.
    """

    def __init__(self, *, bodies: bool = False, keys: Sequence[str] = ()) -> None:
        super().__init__()
        self._bodies = bodies
        self._keys = keys

    def filter(self, record: logging.LogRecord) -> bool:
        """Fill in what the record does not say itself."""
        if hasattr(record, _BODY):
            return True
        found = whereabouts(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]  # the only way to callers
        said = {name: str(getattr(record, name, "") or "") for name in FIELDS}
        if found is not None:
            at = {"route": found.route, "step": found.step, "message_id": found.message.id}
            if any(said[name] not in ("", at[name]) for name in ("route", "message_id")):
                found = None  # it tells of another one, such as a route that this message stops
            else:
                said = {name: said[name] or at[name] for name in FIELDS}
        failure = failure_of(record.__dict__["error"]) if "error" in record.__dict__ else None
        said["step"] = failure.step if failure is not None else said["step"]
        record.__dict__.update(said)
        message, kind, shown = None, None, None
        if found is not None:
            message, kind = found.message, found.kind
            shown = masked_body(message.body, kind, keys=self._keys, most=BODY) if self._bodies else None
        setattr(record, _BODY, shown)
        setattr(record, _CLEAN, Discreet(_error(record), message, self._keys, kind))
        return True


class _Chosen(logging.Filter):
    """Leaves out what other people's code says below a warning, unless its logger was asked for."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        super().__init__()
        self._asked = tuple(levels)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.levelno >= logging.WARNING or _below(record.name, ("routekit", *self._asked)):
            return True
        return not record.pathname.startswith(_OTHERS)


def _below(name: str, loggers: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in loggers)


class Plain(logging.Formatter):
    """A line for people: what it concerns follows in brackets, as far as the text does not say it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and below it, indented, the traceback of an error."""
        text = one_line(clean_text(record))
        fields = FIELDS if getattr(record, "event", "") != "Logged" else ("route", "message_id")  # that is the step
        said = [one_line(masked(str(value))) for name in fields if (value := getattr(record, name, ""))]
        missing = [value for value in said if value not in text]
        text += f" [{', '.join(missing)}]" if missing else ""
        body = getattr(record, _BODY, None)
        text += f" {one_line(masked(json.dumps(body, ensure_ascii=False)))}" if body is not None else ""
        line = logging.makeLogRecord(
            {**record.__dict__, "msg": text, "args": (), "exc_info": None, "exc_text": None, "stack_info": None}
        )
        return "\n".join([super().format(line), *_traceback(record)])


class AsJson(logging.Formatter):
    """A line for machines: one object of JSON, whose fields are `time`, `level`, `logger`, `text` and what is known."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said: dict[str, Any] = {
            "time": when,
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": clean_text(record),
        }
        for name in FIELDS:
            if value := getattr(record, name, ""):
                said["message" if name == "message_id" else name] = masked(str(value))
        if event := getattr(record, "event", ""):
            said["event"] = masked(str(event))
        if (body := getattr(record, _BODY, None)) is not None:
            said["body"] = body
        if (error := _error(record)) is not None:
            said["error"] = _structured(error, record)
        return json.dumps(said, ensure_ascii=False, default=str).translate(_ESCAPED)


def one_line(text: str) -> str:
    r"""A text that came from outside, so that it can neither begin a line of its own nor steer the terminal.

    >>> one_line("a\nINFO b\x1b[2J")
    'a\\nINFO b\\x1b[2J'
    """
    return text.translate(_VISIBLE)


def _text(record: logging.LogRecord) -> str:
    """What a record says; if its arguments do not fit, what it was to say."""
    try:
        text = record.getMessage()
    except Exception as error:  # an author's argument that cannot be written must not cost the line
        text = f"{record.msg} ({type(error).__name__} in its arguments)"
    return text


def clean_text(record: logging.LogRecord) -> str:
    """What a record says, with what is sensitive masked; the line of a `log` step says what its author wrote."""
    text = _text(record)
    return masked(text) if getattr(record, "event", "") == "Logged" else cleaned(record, text)


def cleaned(record: logging.LogRecord, text: str) -> str:
    """A text of a record, such as that of its error, without the sensitive values of its message."""
    clean = getattr(record, _CLEAN, None)
    return masked(text) if clean is None else clean(text)


def _error(record: logging.LogRecord) -> BaseException | None:
    raised = record.exc_info[1] if record.exc_info else getattr(record, "error", None)
    return raised if isinstance(raised, BaseException) else None  # an author's `extra` may be anything


def _structured(error: BaseException, record: logging.LogRecord) -> dict[str, Any]:
    """An error as data: its class, what it says, where it was raised, the innermost place last, and what caused it."""
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(error.__traceback__)[-FRAMES:]]
    said: dict[str, Any] = {"class": type(error).__name__, "text": cleaned(record, str(error)), "at": places}
    cause = error.__cause__
    return {**said, "cause": cleaned(record, f"{type(cause).__name__}: {cause}")} if cause is not None else said


def _traceback(record: logging.LogRecord) -> list[str]:
    """The lines of a record's traceback, none of which begins like one of the log."""
    raised = record.exc_info[1] if record.exc_info else None
    if raised is None:
        return []
    text = cleaned(record, "".join(format_exception(raised)))
    return [f"    {one_line(line)}" for line in text.splitlines()]
