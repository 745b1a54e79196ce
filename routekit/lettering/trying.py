"""A dry run: what a replay of a letter would send where. Nothing leaves the process, and no state is changed.

The route runs in memory: its sinks only note what they get, its state is empty. What the author's own functions do,
they do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import BaseModel, Field

from ..discretion import said, told
from ..events import Event
from ..letter import Letter, packed
from ..message import Message
from ..options import masked
from ..plugins import Catalog
from ..replay import replay
from ..route import Route
from ..runtime.failure import failure_of
from ..runtime.service import Setup
from ..testing.clock import Clock
from ..testing.traffic import Sent
from ..testing.world import Replacement, World


class Send(BaseModel):
    """One send of a dry run."""

    to: str = Field(description="the URI of the sink, secrets masked")
    route: str
    body: Any = Field(description="as the route sends it, JSON-ready")
    headers: dict[str, Any]
    options: dict[str, Any] = Field(description="those that were computed for this message")
    error: str = Field(default="", description="what the sink raised, if that was given for it")


class Trial(BaseModel):
    """What a replay would do."""

    letter: str
    route: str
    result: Literal["done", "failed"]
    error: str = Field(default="", description="the class of the error")
    reason: str = Field(default="", description="its text")
    step: str = Field(default="", description="the step that failed")
    sends: list[Send]


async def dry_run(
    letter: Letter, routes: Sequence[Route], setup: Setup, answers: Mapping[str, Any] | None = None
) -> Trial:
    """Run the letter's route on it in memory; `answers` are what sinks answer, by address or pattern.

    An answer that is an exception is raised, and a function of the body is called. Without one a sink answers nothing,
    which fails a step that needs an answer. Raises UnknownName if the letter's route is gone, and DefinitionError if
    it cannot work.
    """
    world = _Quiet(setup.catalog, answers or {})
    with TemporaryDirectory() as folder:
        alone = replace(setup, catalog=world, store="memory:", data=Path(folder), watch=_unwatched, now=world.clock.now)
        error = await replay(letter, routes, alone)
    failure = None if error is None else failure_of(error)
    return Trial(
        letter=letter.id,
        route=letter.route,
        result="done" if error is None else "failed",
        error="" if error is None else type(error).__name__,
        reason="" if error is None else said(error),
        step="" if error is None else masked(failure.step if failure else "source"),
        sends=[_shown(sent) for sent in world.traffic.sends if sent.endpoint.scheme not in _WITHIN],
    )


_WITHIN = ("direct", "queue")
"""What is sent there goes on in another route, which sends on its own."""


class _Quiet(World):
    """A world that tells no plugin what happens in it."""

    def __init__(self, real: Catalog, answers: Mapping[str, Any]) -> None:
        given: dict[Any, Replacement] = {key: _answering(answer) for key, answer in answers.items()}
        super().__init__(given, keep=["letter:"], clock=Clock(), redeliver=0, lookup=real.lookup, modules=real.modules)

    def tell(self, event: Event) -> None:
        self.traffic.hear(event)


def _answering(answer: Any) -> Replacement:
    def answered(body: Any, message: Message[Any]) -> Any:
        return answer

    return answer if isinstance(answer, Exception) or callable(answer) else answered


def _shown(sent: Sent) -> Send:
    return Send(
        to=masked(sent.endpoint.uri()),
        route=sent.route,
        body=packed(sent.body),
        headers={name: packed(value) for name, value in sent.message.headers.items()},
        options={name: packed(value) for name, value in sent.options.items()},
        error="" if sent.error is None else told(sent.error),
    )


def _unwatched(event: Event) -> None:
    pass
