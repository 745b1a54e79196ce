"""Steps in a branch whose reply is waited for, though they give it before what follows them is done.

An attempt goes on with the reply of its body, a gather with the replies of its parts. A step that keeps messages and
lets them go on later has no reply to give them: what it kept would end with the branch, and nobody would notice.
"""

from collections.abc import Iterator

from .errors import DefinitionError
from .place import Place
from .step import Chain, Step


def misplaced(chain: Chain, within: str = "", *, used: bool = False) -> Iterator[tuple[Place, DefinitionError]]:
    """The steps that cannot stand where they stand, in this chain and its branches.

    `within` is the step that waits for the reply of the chain, if one does, and `used` says whether anything is made of
    that reply.
    """
    for number, (step, place) in enumerate(zip(chain.steps, chain.places, strict=True), 1):
        if within and (step.onward == "later" or (used and step.onward != "runs")):
            yield place, _error(step, within)
            return
        waited = step.waits_for()
        for label, branch in step.branches():
            match waited.get(label):
                case None:
                    yield from misplaced(branch)
                case "on":
                    yield from misplaced(branch, within, used=used)
                case "passed":
                    yield from misplaced(branch, step.label, used=used or number < len(chain.steps))
                case "used":
                    yield from misplaced(branch, step.label, used=True)


def _error(step: Step[object, object], within: str) -> DefinitionError:
    match step.onward:
        case "later":
            found = f"{step.label} lets messages go on later, when {within} waits no more: they would end there"
            hint = f"put it before or behind {within}, or into a route of its own: .to('direct:...')"
        case "parts":
            found = f"what follows {within} would get the whole message, and not the parts of {step.label}"
            hint = "put what follows into this branch, or use gather or for_each"
        case _:
            found = f"{step.label} notes a message as done at the end of this branch, before what follows {within} is"
            hint = f"put it before {within}, or put what follows into this branch"
    return DefinitionError(found, hint=hint)
