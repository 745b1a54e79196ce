"""Editing: the body or headers of a letter, checked as the route will check them, before they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..errors import UnknownName, did_you_mean
from ..fitting import fitting
from ..letter import Letter, kind_named, unpacked
from ..route import Route
from ..runtime.service import Setup
from ..store import Store
from .recording import owned, written

UNCHANGED: Final = object()
"""Stands for a body that stays as it is; any other value is a body."""


async def edit(
    store: Store,
    routes: Sequence[Route],
    setup: Setup,
    id: str,
    *,
    body: Any = UNCHANGED,
    headers: Mapping[str, Any] | None = None,
    who: str,
    why: str,
) -> Letter:
    """Change what a letter will be replayed with: JSON-ready data, bytes as `{"base64": ...}`.

    What was there before stays in its `edits`, as `body` and `headers` of each. Raises BodyError for a body that its
    route would refuse, and UnknownName if the letter or its route is gone.
    """
    async with owned(store, id) as letter:
        if letter is None:
            raise UnknownName(f"there is no letter '{id}'", hint="see: routekit letters list")
        edited, before = letter, dict[str, Any]()
        if body is not UNCHANGED:
            check(letter, body, routes, setup)
            before["body"], edited = letter.body, replace(edited, body=body)
        if headers is not None:
            before["headers"], edited = letter.headers, replace(edited, headers=dict(headers))
        if not before:
            return letter
        note = {"who": who, "when": setup.now(), "why": why, **before}
        edited = replace(edited, edits=[*letter.edits, note])
        await written(store, setup, who, "edit", id, f"{' and '.join(before)}: {why}")
        await store.letters.add(edited)
        return edited


def original(letter: Letter) -> tuple[Any, dict[str, Any]]:
    """Body and headers as they came, whatever was edited since."""
    body = next((edit["body"] for edit in letter.edits if "body" in edit), letter.body)
    headers = next((edit["headers"] for edit in letter.edits if "headers" in edit), letter.headers)
    return body, headers


def check(letter: Letter, body: Any, routes: Sequence[Route], setup: Setup) -> None:
    """Raises BodyError for a body that the letter's route would refuse where it goes in."""
    route = next((route for route in routes if route.name == letter.route), None)
    if route is None:
        hint = did_you_mean(letter.route, [route.name for route in routes])
        raise UnknownName(f"letter {letter.id} is of route '{letter.route}'", hint=hint)
    kind = kind_named(letter.kind) if letter.entry else route.body
    codec = None if letter.entry or route.codec is None else setup.catalog.codec(route.codec)
    if kind is not None or codec is not None:
        fitting(kind or object, codec)(unpacked(body))
