"""Where a durable route can go on after a crash, and what in it could not."""

from collections.abc import Iterator
from pathlib import PurePath

from .errors import DefinitionError
from .place import Place
from .route import REFUSE, Policy, Route, cannot_refuse
from .step import Chain, Step

_WORD = "checkpoint"


def undurable(route: Route, policy: Policy) -> Iterator[tuple[Place, DefinitionError]]:
    """What cannot work in a route that is durable, or that is not and has checkpoints, with the place of each."""
    durable = policy.durable == "store"
    if durable and policy.dead_letter == REFUSE:
        yield route.place, cannot_refuse()
    if durable and isinstance(route.body, type) and issubclass(route.body, PurePath):
        found = "the journal would keep the path of a file, and its source may move the file when it is told"
        yield route.place, DefinitionError(found, hint="read the file, or leave out durable='store'")
    yield from useless(route.chain, durable=durable)


def useless(chain: Chain, *, durable: bool) -> Iterator[tuple[Place, DefinitionError]]:
    """The checkpoints that can have no effect, or not the one that they say, each with the reason."""
    names: dict[str, Place] = {}
    for step, place, why in _found(chain, ""):
        name = getattr(step, "name", "")
        if not durable:
            hint = "give the route Policy(durable='store'), or leave it out"
            yield place, DefinitionError(f"{step.label}: the route keeps no journal", hint=hint)
        elif why:
            yield place, DefinitionError(f"{step.label} {why}", hint=_HINT)
        elif name in names:
            found = f"{step.label}: there is one of that name at {names[name]}"
            yield place, DefinitionError(found, hint="the journal tells them apart by name")
        elif chain.steps and chain.steps[0] is step:
            hint = "put it behind what must not be done again, or leave it out"
            yield place, DefinitionError(f"{step.label}: the message is in the journal already", hint=hint)
        names[name] = place


_HINT = "put it before that step, or what follows into a route of its own: .to('direct:...')"


def _found(chain: Chain, why: str) -> Iterator[tuple[Step[object, object], Place, str]]:
    """All checkpoints, each with the reason why the route cannot go on there, if there is one."""
    for step, place in zip(chain.steps, chain.places, strict=True):
        if (step.word or type(step).__name__.lower()) == _WORD:
            yield step, place, why
        waited = step.waits_for()
        for label, branch in step.branches():
            on = waited.get(label) == "on"
            yield from _found(branch, why if on else why or f"stands inside {step.label}, which waits for it")
            if on:
                why = why or _behind(branch)
        why = why or _reason(step)


def _behind(chain: Chain) -> str:
    """Why no route can go on behind these steps."""
    return next((why for why in map(_reason, chain.steps) if why), "")


def _reason(step: Step[object, object]) -> str:
    match step.onward:
        case "runs":
            return ""
        case "parts":
            return f"stands behind {step.label}: there are only parts of the message"
        case "later":
            return f"stands behind {step.label}, which keeps messages itself and brings them again after a crash"
        case _:
            return f"stands behind {step.label}, which notes the message as done when what follows it has returned"
