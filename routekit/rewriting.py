"""Rewriting definitions: steps replaced by others wherever they stand, since a definition is a value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, TypeAlias, TypeVar, cast

from .errors import DefinitionError, did_you_mean
from .place import Place
from .step import Chain, Step, Target

R = TypeVar("R")

Rewrite: TypeAlias = Callable[[Step[Any, Any], Place], Chain | None]
"""What takes the place of a step, whose branches have been rewritten already; None if it stays."""


def rewritten(value: R, rewrite: Rewrite) -> R:
    """A chain, or anything that holds chains, with steps replaced; `value` itself if none is.

    Looked into are chains, and the branches of their steps wherever these are kept: in fields of dataclasses, in
    mappings, tuples and lists. What takes the place of a step is not rewritten itself.
    """
    changed: object = value
    if isinstance(value, Chain):
        changed = _chain(value, rewrite)
    elif isinstance(value, Mapping):
        changed = _items(cast("Mapping[Any, Any]", value), rewrite)
    elif type(value) in (tuple, list):
        those = cast("Sequence[Any]", value)
        these = [rewritten(one, rewrite) for one in those]
        differ = any(one is not before for one, before in zip(these, those, strict=True))
        changed = cast("type[Any]", type(value))(these) if differ else value
    elif is_dataclass(value) and not isinstance(value, type | Target):  # a target's options are the author's own
        changed = _with_fields(value, rewrite)
    return cast("R", changed)


def _items(old: Mapping[Any, Any], rewrite: Rewrite) -> Mapping[Any, Any]:
    new = {key: rewritten(one, rewrite) for key, one in old.items()}
    return new if any(new[key] is not one for key, one in old.items()) else old


def _with_fields(value: Any, rewrite: Rewrite) -> Any:
    old = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    new = {name: rewritten(one, rewrite) for name, one in old.items()}
    changed = {name: one for name, one in new.items() if one is not old[name]}
    return replace(value, **changed) if changed else value


def _chain(chain: Chain, rewrite: Rewrite) -> Chain:
    steps: list[Step[Any, Any]] = []
    places: list[Place] = []
    for step, place in zip(chain.steps, chain.places, strict=True):
        inside = rewritten(step, rewrite)
        instead = rewrite(inside, place) or Chain((inside,), (place,))
        steps += instead.steps
        places += instead.places
    same = len(steps) == len(chain.steps) and all(new is old for new, old in zip(steps, chain.steps, strict=True))
    return chain if same else Chain(tuple(steps), tuple(places))


def intercepted(value: R, pattern: str, branch: Chain, *, skip: bool) -> R:
    """The steps of `branch` before each step that sends to a URI of that pattern, or instead of it.

    Raises DefinitionError if there is no such step, or one where it cannot be reached.
    """
    reached = _sends(value)
    hits = [uri for uri in reached if matches(pattern, uri)]
    hidden = [uri for uri in _told(value) if matches(pattern, uri)]
    for uri in hits:
        if uri in hidden:
            hidden.remove(uri)
    if hidden:
        hint = "a step keeps its branches in the fields of a dataclass"
        raise DefinitionError(f"intercept: what sends to '{hidden[0]}' cannot be rewritten", hint=hint)
    if not hits:
        raise DefinitionError(f"intercept: nothing is sent to '{pattern}'", hint=did_you_mean(pattern, set(reached)))

    def rewrite(step: Step[Any, Any], place: Place) -> Chain | None:
        if not any(matches(pattern, str(target)) for target in step.targets()):
            return None
        return branch if skip else branch.then(step, place)

    return rewritten(value, rewrite)


def matches(pattern: str, uri: str) -> bool:
    """Whether a URI fits a pattern with `*` and `?`, with or without the options at its end.

    >>> matches("file:*", "file:out?name=a"), matches("file:out", "file:out?name=a"), matches("file:in", "file:out")
    (True, True, False)
    """
    return fnmatchcase(uri, pattern) or fnmatchcase(uri.partition("?")[0], pattern)


def _sends(value: object) -> list[str]:
    """The URIs that are sent to by the steps that can be rewritten."""
    found: list[str] = []

    def note(step: Step[Any, Any], place: Place) -> None:
        found.extend(str(target) for target in step.targets())

    rewritten(value, note)
    return found


def _told(value: object) -> list[str]:
    """The URIs that are sent to by chains, as their steps tell it themselves."""
    if isinstance(value, tuple):
        return [uri for one in cast("tuple[object, ...]", value) for uri in _told(one)]
    if not isinstance(value, Chain):
        return []
    steps = value.steps
    own = [str(target) for step in steps for target in step.targets()]
    return own + [uri for step in steps for _, branch in step.branches() for uri in _told(branch)]
