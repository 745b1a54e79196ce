"""Hiding: fields of records as people see them; those that a pair marks as personal or secret are masked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from routekit import masked, scrubbed
from routekit.remotes import Fields

from .kept import Quarantined
from .ledger import Ledger
from .pair import SyncPair
from .state import Link

MASK = "***"


def marks_of(pair: SyncPair) -> Mapping[str, str]:
    """The fields of both sides that are personal or secret, each with what it is.

    A unit that is marked on one side has the same on the other, whatever it is called there.
    """
    return {
        name: unit.sensitive.get(name, "sensitive")
        for unit in pair.units
        if unit.sensitive
        for name in (*unit.a, *unit.b)
    }


def revealed(pair: SyncPair) -> SyncPair:
    """The pair as somebody sees it who may see all: nothing of it is marked. Only to show it."""
    return replace(pair, units=[replace(unit, sensitive={}) for unit in pair.units])


def hidden(fields: Fields, pair: SyncPair) -> dict[str, Any]:
    """The fields, with the values of those that are marked masked; that one is empty can be seen."""
    marks = marks_of(pair)
    return {name: MASK if name in marks and not _empty(value) else _plain(value) for name, value in fields.items()}


def said_of(text: str, fields: Fields, pair: SyncPair) -> str:
    """What a text says, such as the reason of a refusal, without the marked values that it quotes, in any spelling."""
    marks = marks_of(pair)
    found = [value for name, value in fields.items() if name in marks and isinstance(value, str) and len(value) > 2]
    return scrubbed(text, dict.fromkeys(found, MASK))


def said_of_link(text: str, link: Link, pair: SyncPair) -> str:
    """As `said_of`, by all that is known of a link."""
    told = [one.fields for one in (link.a, link.b) if one is not None]
    for fields in (*told, *(one.fields for one in link.intents)):
        text = said_of(text, fields, pair)
    return text


def problem_of(name: str, problem: str, pair: SyncPair) -> str:
    """Why a unit could not be converted; of one that is marked the text is not shown, as it may quote the value."""
    marked = any(unit.sensitive for unit in pair.units if unit.name == name)
    return f"{MASK} (its values are marked as sensitive)" if marked else masked(problem)


async def reason_of(given: Quarantined, ledger: Ledger, pair: SyncPair) -> str:
    """Why something was given up, without the marked values of its records."""
    known = await ledger.link(given.link)
    shadows = [] if known is None else [known.link.a, known.link.b]
    text = said_of(given.why, given.fields, pair)
    for shadow in shadows:
        text = text if shadow is None else said_of(text, shadow.fields, pair)
    return text


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _plain(value: Any) -> Any:
    return masked(value) if isinstance(value, str) else value
