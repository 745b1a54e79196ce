"""Capture: an incident as a test that fails as it did, to be kept as a regression test once the route is mended."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from ..error_names import class_named
from ..errors import DefinitionError, RouteKitError, UnknownName, did_you_mean
from ..letter import Letter, kind_of, packed, unpacked
from ..options import masked
from ..placeholders import filled_uri
from ..plugins import Catalog
from ..route import Route
from ..runtime.service import Setup
from ..store import Store
from ..written import read, result_read
from .editing import original
from .selecting import Selection, chosen, found
from .trying import Trial, dry_run

_SENDS = re.compile(r"(?:to|enrich) (\S+?)(?: \(\d+\))?$")
"""The label of a step that sends, as the failing step of a letter or in the key of an effect."""

_PRIVATE = re.compile(
    r"pass|secret|token|auth|cookie|api.?key|iban|card|birth|e.?mail|phone|street|sur.?name|(first|last).?name",
    re.IGNORECASE,
)
"""Names of fields that may hold what should be in no repository."""


_UNKNOWN = "?"
"""The module of a class of errors that is known by its name alone."""


@dataclass(frozen=True)
class Answer:
    """What a sink answered, in order, each JSON-ready; or with what it fails."""

    to: str
    bodies: Sequence[Any] = ()
    error: "Failure | None" = None


@dataclass(frozen=True)
class Failure:
    """An error as a test can name it: `module` is empty for one whose class is not known."""

    name: str
    text: str
    module: str = ""


@dataclass(frozen=True)
class Captured:
    """All that a test needs to know of an incident."""

    letter: Letter
    """As it came: with its original body and headers."""
    beside: Sequence[str]
    """The routes that others call: they run too."""
    answers: Sequence[Answer]
    silent: Sequence[str] = ()
    """Sinks for which no answer was recorded."""
    failed: bool = True
    """Whether it failed; else it is a message that was on its way."""
    differs: str = ""
    """How a run with these answers differs from what happened; empty if it fails in the same way."""
    private: Sequence[str] = ()
    """The names of fields that may hold secrets or personal data."""
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """Those of the placeholders in the routes; of what may be a secret, another value."""


class Capture(BaseModel):
    """What was written."""

    file: str
    letter: str
    route: str
    error: str = Field(description="the class of the error, empty for a message that was on its way")
    step: str
    recorded: list[str] = Field(description="sinks whose answers were recorded, or given")
    silent: list[str] = Field(description="sinks for which no answer is known")
    differs: str = Field(description="how the test's outcome differs from the incident; empty if it does not")
    private: list[str] = Field(description="fields that may hold secrets or personal data")


async def captured(
    store: Store, id: str, routes: Sequence[Route], setup: Setup, answers: Mapping[str, Any] | None = None
) -> Captured:
    """What is known of a dead letter or journaled message; `answers` go before what was recorded, by address.

    Raises UnknownName if there is no such message, or its route is gone.
    """
    letter, failed = await _message(store, id, routes)
    if letter.route not in [route.name for route in routes]:
        hint = did_you_mean(letter.route, [route.name for route in routes])
        raise UnknownName(f"message {letter.message_id} is of route '{letter.route}'", hint=hint)
    values: dict[str, str] = {}
    real = setup.catalog

    def lookup(name: str) -> str | None:
        value = real.lookup(name)
        if value is not None:
            values[name] = name.lower() if _PRIVATE.search(name) else value
        return values.get(name)

    setup = replace(setup, catalog=Catalog(lookup, real.modules))
    given = [Answer(to, [answer]) for to, answer in (answers or {}).items()]
    known = [*given, *(one for one in _recorded(letter) if one.to not in (answers or {}))]
    all_of_them = _merged([replace(one, to=filled_uri(one.to, lookup)) for one in known])
    trial = await dry_run(letter, routes, setup, _played(all_of_them))
    if failed and _difference(letter, trial) and (failing := _failing(letter)) is not None:
        with_it = _merged([*all_of_them, replace(failing, to=filled_uri(failing.to, lookup))])
        second = await dry_run(letter, routes, setup, _played(with_it))
        if not _difference(letter, second):
            all_of_them, trial = with_it, second
    asked = dict.fromkeys(_address(sent.to) for sent in trial.sends)
    return Captured(
        letter=letter,
        beside=[
            route.name for route in routes if route.name != letter.route and setup.catalog.source(route.source).internal
        ],
        answers=[one for one in all_of_them if one.to in asked or one.error],
        silent=[to for to in asked if to not in [one.to for one in all_of_them]],
        failed=failed,
        differs=_difference(letter, trial) if failed else "",
        private=sorted(
            {name for part in (letter.body, letter.headers) for name in _names(part) if _PRIVATE.search(name)}
        ),
        values=values,
    )


async def _message(store: Store, id: str, routes: Sequence[Route]) -> tuple[Letter, bool]:
    """The message of an id as a letter, and whether it has failed: of a letter, or of a message."""
    try:
        letter = await found(store, id)
    except UnknownName:
        async for one in chosen(store, Selection()):
            if one.message_id == id:
                letter = one
                break
        else:
            return await _journaled(store, id, routes), False
    body, headers = original(letter)
    return replace(letter, body=body, headers=headers), True


async def _journaled(store: Store, id: str, routes: Sequence[Route]) -> Letter:
    """A message of a durable route that is on its way, as a letter without a failure."""
    for route in routes:
        journal, after = store.journal(route.name), 0
        while page := await journal.take(owner=store.owner, limit=200, after=after):
            for entry in page:
                if entry.id != id:
                    continue
                if entry.place:
                    hint = "replay or repair it where it is"
                    raise DefinitionError(f"message {id} has passed the checkpoint '{entry.place}'", hint=hint)
                message = read(entry.message).message
                return Letter(
                    id=id, message_id=id, route=route.name, source=str(route.source), step="", place=str(route.place),
                    error="", reason="", attempts=1, when=entry.at, body=packed(message.body),
                    headers={name: packed(value) for name, value in message.headers.items()},
                    kind=kind_of(message.body), effects=dict(await journal.effects(id)),
                )  # fmt: skip
            after = page[-1].number
    hint = "see: routekit letters list; messages on their way are known of durable routes only"
    raise UnknownName(f"there is no letter or journaled message '{id}'", hint=hint)


def _recorded(letter: Letter) -> Iterator[Answer]:
    """What the journal knows of the calls that were made."""
    for key, result in letter.effects.items():
        try:
            step, _, _ = json.loads(key)
            reply = result_read(result)
        except (ValueError, RouteKitError):  # of another release, or what was answered could not be kept
            continue
        if reply is not None and (to := _sink(step)):
            yield Answer(to, [packed(reply.body)])


def _failing(letter: Letter) -> Answer | None:
    """The sink at whose step it failed, if the error may be the sink's own: it fails again."""
    to = _sink(letter.step)
    if to is None or letter.error in _AUTHORS or to.startswith(_WITHIN):
        return None
    return Answer(to, (), failure_of(letter.error, letter.reason))


_AUTHORS = frozenset({"AttributeError", "TypeError", "LookupError", "KeyError", "IndexError", "NameError"}) | frozenset(
    {"ZeroDivisionError", "AssertionError", "NoAnswer", "BodyError", "Invalid", "ValidationError"}
)
"""Errors of a function of the author, or of what a sink has answered, rather than of a call."""

_WITHIN = ("direct:", "queue:")
"""What is sent there goes on in another route, which runs in the test too."""


def _merged(answers: Sequence[Answer]) -> list[Answer]:
    """One for each sink, in which all that it answered stands in order, and then what it failed with."""
    merged: dict[str, Answer] = {}
    for one in answers:
        before = merged.get(one.to, Answer(one.to))
        merged[one.to] = Answer(one.to, [*before.bodies, *one.bodies], one.error or before.error)
    return list(merged.values())


def failure_of(name: str, text: str) -> Failure:
    """An error by the name of its class; raises nothing: an unknown class is known by its name alone."""
    try:
        kind: type[Exception] = class_named(name, ())
        kind(text)
    except Exception:  # unknown, or of a kind that wants more than a text, and says so in whatever way
        return Failure(name, text, _UNKNOWN)
    if kind.__module__ == "builtins":
        return Failure(name, text)
    top = kind.__module__.partition(".")[0]
    offered = getattr(sys.modules.get(top), name, None) is kind
    return Failure(name, text, top if offered else kind.__module__)


def _played(answers: Sequence[Answer]) -> dict[str, Any]:
    return {one.to: _playing(one) for one in answers}


def _playing(answer: Answer) -> Any:
    """What a sink does in a dry run: it answers one after the other, and then fails, or answers the last again."""
    bodies = [unpacked(body) for body in answer.bodies]
    left = iter(bodies)

    def play(body: object) -> Any:
        played = next(left, None)
        if played is not None:
            return played
        if answer.error is not None:
            raise made(answer.error)
        return bodies[-1] if bodies else None

    return play


def made(failure: Failure) -> Exception:
    """An error of that class, or of one that is called so."""
    kind: type[Exception] = (
        type(failure.name, (Exception,), {"__module__": _UNKNOWN})
        if failure.module == _UNKNOWN
        else class_named(failure.name, ())
    )
    return kind(failure.text)


def _difference(letter: Letter, trial: Trial) -> str:
    if trial.result == "done":
        return "it is done without an error"
    if (trial.error, trial.step) != (letter.error, masked(letter.step)):
        return f"it fails with {trial.error} at {trial.step}: {trial.reason}"
    return ""


def _sink(step: str) -> str | None:
    """The address of the sink that a step sends to, by the step's name."""
    sends = _SENDS.search(step.rpartition(" > ")[2])
    return _address(sends[1]) if sends else None


def _address(uri: str) -> str:
    return uri.partition("?")[0]


def _names(data: Any) -> Iterator[str]:
    """The names of all fields in some data."""
    if isinstance(data, dict):
        for name, inner in data.items():  # pyright: ignore[reportUnknownVariableType]  # JSON
            yield str(name)  # pyright: ignore[reportUnknownArgumentType]  # JSON
            yield from _names(inner)
    elif isinstance(data, list):
        for inner in data:  # pyright: ignore[reportUnknownVariableType]  # JSON
            yield from _names(inner)


def refuse_to_overwrite(file: Path) -> None:
    """Raises DefinitionError if there is such a file."""
    if file.exists():
        raise DefinitionError(f"'{file}' is there already", hint="give another name, or delete it")
