"""Clauses that never count: rescues for errors that nothing inside their scope can raise."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from .errors import DefinitionError
from .rescuing import Clause
from .step import Chain, Step, Target

Raised: TypeAlias = Callable[[Target], Iterable[type[Exception]] | None]
"""The errors of its own that a sink may raise; None if it may be any, as with another route."""


def unraised(clauses: Iterable[Clause], chain: Chain, raised: Raised) -> Iterator[tuple[Clause, DefinitionError]]:
    """The clauses that never count for errors in `chain`, as far as that can be known.

    It is known of the errors that steps and sinks declare as theirs alone, and of definition errors.
    """
    possible = _raised_in(chain, raised)
    for clause in clauses:
        own = _owners(clause.kind)
        if possible is None or (not own and not issubclass(clause.kind, DefinitionError)):
            continue
        if any(issubclass(kind, clause.kind) or issubclass(clause.kind, kind) for kind in possible):
            continue
        message = f"{clause.label} never counts: nothing here raises it"
        who = f"it is raised by {' and '.join(own)}" if own else "it is found by `routekit check`, before a route runs"
        yield clause, DefinitionError(message, hint=f"{who}; leave the clause out")


def _raised_in(chain: Chain, raised: Raised) -> set[type[Exception]] | None:
    """What the steps of a chain and its branches raise of their own; None if it may be anything."""
    found: set[type[Exception]] = set()
    for step in chain.steps:
        found.update(step.raises)
        inner = [raised(target) for target in step.targets()]
        inner += [_raised_in(branch, raised) for _, branch in step.branches()]
        for kinds in inner:
            if kinds is None:
                return None
            found.update(kinds)
    return found


def _owners(kind: type[Exception]) -> list[str]:
    """The words of the steps that declare the class, or one above it, as theirs."""
    return sorted({step.word or step.__name__.lower() for step in _kinds(Step) if issubclass(kind, step.raises)})


def _kinds(kind: type[Step[Any, Any]]) -> Iterator[type[Step[Any, Any]]]:
    for below in kind.__subclasses__():
        yield below
        yield from _kinds(below)
