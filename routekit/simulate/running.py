"""One run: processes that live and die one after the other, until everything outside has come to rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

from ..endpoint import Source
from ..message import Message
from ..plugins import Catalog
from ..route import Policy, Route
from ..runtime.service import Service, Setup
from .arriving import Reader, again
from .bodies import Bodies
from .files import Documents
from .loop import SimLoop, ended
from .outside import QUIET, Arrival, Life, Outside
from .schedule import Drawn, Fates, Schedule
from .stage import CLOCKS, WITHIN, Answers, Stage, called
from .store import LastingStore, living

DRAIN = 30.0
"""Seconds that the last process gets to stop in."""

CALM = 30.0
"""Seconds for which all has to be settled before a run is over."""

_DOWN = 1.0
"""Seconds between two processes."""

_SETS = 5
"""Sets of messages that the seeds share, so that what should become of them is found out once for each."""

End: TypeAlias = Literal["rest", "late", "busy", "stuck"]
"""How a run ended: all was at rest; time was up; tasks kept each other awake; the last process did not stop."""


@dataclass(frozen=True)
class Scene:
    """What is simulated, the same for all seeds. Times in seconds."""

    routes: Sequence[Route]
    catalog: Catalog
    time: float = 3600.0
    messages: int = 6
    inputs: Mapping[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])
    answers: Answers = field(default_factory=Answers)
    policy: Policy = field(default_factory=Policy)
    settings: Callable[[str, str], Mapping[str, Any] | None] = lambda table, name: None
    data: Path = Path("data")
    folder: Path = Path("data")
    """Where documents are written for routes that read files."""

    def sources(self) -> list[tuple[Route, Source]]:
        """The sources that are outside of the process, one for each address."""
        found: dict[str, tuple[Route, Source]] = {}
        for route in self.routes:
            source = self.catalog.source(route.source)
            if source.scheme not in WITHIN | CLOCKS:
                found.setdefault(called(source), (route, source))
        return list(found.values())


def set_of(seed: int) -> int:
    """Which of the sets of messages a seed has."""
    return seed % _SETS


def played(scene: Scene, schedule: Schedule, fates: Fates, watch: Callable[[Outside], None] | None = None) -> "Played":
    """Run it. `watch` is given the outside before anything happens in it."""
    outside = Outside(fates)
    if watch is not None:
        watch(outside)
    _fill(outside, scene, schedule)
    store = LastingStore(outside.now)
    start = 0.0
    while True:
        order = Random(f"{schedule.seed}/order/{outside.life}") if schedule.shuffled else None
        loop = SimLoop(start, order)
        end = _lived(scene, schedule, outside, loop, store)
        now = loop.time()
        start = now + _DOWN
        loop.bury()
        if end != "died":
            return Played(schedule, outside, end, now)
        outside.died()


@dataclass(frozen=True)
class Played:
    """A run that is over; `seconds` is how much time passed in it."""

    schedule: Schedule
    outside: Outside
    end: End
    seconds: float


def _lived(
    scene: Scene, schedule: Schedule, outside: Outside, loop: SimLoop, store: LastingStore
) -> End | Literal["died"]:
    """One life: until it dies, or until nothing is left to do and it has stopped orderly."""
    life = outside.reborn(loop)
    ticks = max(1, scene.messages)
    stage = Stage(scene.catalog, life, scene.answers, ticks)
    setup = Setup(
        catalog=stage.as_catalog(),
        store=living(store, life),
        data=scene.data,
        policy=scene.policy,
        settings=scene.settings,
        watch=outside.hear,
        drain=DRAIN,
        now=outside.now,
        random=Random(f"{schedule.seed}/chance/{outside.life}"),
    )
    service = Service(scene.routes, setup)
    task = loop.create_task(service.run())

    life.stop = service.stop
    calm = _Calm(outside, loop)

    def at_rest() -> bool:
        if task.done() or calm.holds():
            return True
        fault = outside.fate(QUIET, ("dies before", "clock"))
        if fault is not None and fault.kind == "clock":
            outside.jumped += fault.amount
            outside.tell(f"wall time jumps by {fault.amount:g} s")
        elif fault is not None:
            outside.tell("the process dies while everything waits")
            life.dead = True
            loop.halt()
        return False

    try:
        return _to_its_end(service, task, life, at_rest, _until(scene, schedule, outside, loop))
    finally:
        life.dead = True  # whatever is left of it has no effect any more


class _Calm:
    """Whether all has been settled for a while: something may go on in the background."""

    def __init__(self, outside: Outside, loop: SimLoop) -> None:
        self._outside = outside
        self._loop = loop
        self._since: float | None = None
        self._effects = 0

    def holds(self) -> bool:
        outside, now = self._outside, self._loop.time()
        if not (outside.settled and outside.begun >= outside.expected):
            self._since = None
            return False
        if self._since is None or self._effects != len(outside.effects):
            self._since, self._effects = now, len(outside.effects)
            self._loop.call_at(now + CALM, lambda: None)  # else time would pass up to the next timer, if there is one
        return now - self._since >= CALM


def _until(scene: Scene, schedule: Schedule, outside: Outside, loop: SimLoop) -> float:
    """How long a process may take: the time anew for each, and some more where something may have come late."""
    back = sum(-fault.amount for fault in outside.struck if fault.kind == "clock" and fault.amount < 0)
    paced = 0.0 if schedule.pace == "drawn" else 21_000.0
    slack = 300.0 if schedule.faults or isinstance(outside.fates, Drawn) else 0.0
    return loop.time() + scene.time + paced + slack + back


def _to_its_end(
    service: Service, task: Any, life: Life, at_rest: Callable[[], bool], until: float
) -> End | Literal["died"]:
    loop = life.loop
    ending = loop.run(until=until, done=at_rest)
    if ending in ("busy", "halted"):
        return "busy" if ending == "busy" else "died"
    service.stop()
    stopped = loop.run(until=loop.time() + DRAIN + 60.0, done=task.done)
    if stopped == "halted":
        return "died"
    error = ended(task)
    if error is not None:
        raise error
    if stopped != "done":
        return "busy" if stopped == "busy" else "stuck"
    if life.stopped:
        return "died"  # and starts again
    return "rest" if ending == "done" else "late"


def _fill(outside: Outside, scene: Scene, schedule: Schedule) -> None:
    """Put the messages of a schedule to their sources."""
    known: set[str] = set()
    for route, source in scene.sources():
        name = called(source)
        twin = scene.catalog.twin(source.scheme)(scene.catalog.codec)
        outside.readers.append(Reader(source, name, twin.reads(source)))
        for message in messages(scene, route, source, schedule.seed):
            if message.id in known:  # two sources have bodies of one id: they must not be taken for one
                message = Message(message.body, message.headers, f"{message.id}.{len(known)}")
            known.add(message.id)
            if schedule.inputs is None or message.id in schedule.inputs:
                due = _due(schedule, message.id, len(known))
                outside.come(Arrival(message.id, name, route.name, message, due, again(source)))
    outside.expected = 0 if scene.sources() else scene.messages  # of clocks, which begin by themselves


def messages(scene: Scene, route: Route, source: Source, seed: int) -> list[Message[Any]]:
    """The messages that come from a source: those that are given, those of a feed, or new ones of the route's type."""
    given = scene.inputs.get(route.name, scene.inputs.get(called(source)))
    letter = chr(ord("a") + [called(one) for _, one in scene.sources()].index(called(source)) % 26)
    if given is None and any(reads(route, source) in addresses(other) for other in scene.routes if other != route):
        return []  # others feed it
    if given is None:
        bodies = Documents.of(route, scene.catalog, scene.folder) or Bodies(route.body)
        numbers = range(1, scene.messages + 1)
        given = [bodies.make(n, Random(f"{set_of(seed)}/{called(source)}/{n}")) for n in numbers]
    made: list[Message[Any]] = []
    for number, item in enumerate(given, 1):
        known = f"{letter}{number}"
        message: Message[Any] = item if isinstance(item, Message) else Message(item)  # pyright: ignore[reportUnknownVariableType]  # a Message of unknown body
        headers = message.headers or {
            header: f"{header}-{number}" for header in source.about.headers if header != "row"
        }
        made.append(Message(message.body, headers, message.id or known))
    return made


def reads(route: Route, source: Source) -> str:
    """Where a route reads, as those write it that send there."""
    return str(route.source).partition("?")[0]


def addresses(route: Route) -> frozenset[str]:
    """Where a route sends, without options, as far as its definition says."""
    return frozenset(str(target).partition("?")[0] for target in _targets(route))


def _targets(route: Route) -> list[Any]:
    found: list[Any] = []
    chains = [route.chain]
    while chains:
        chain = chains.pop()
        for step in chain.steps:
            found += step.targets()
            chains += [branch for _, branch in step.branches()]
    return found


def _due(schedule: Schedule, id: str, number: int) -> float:
    """When a message comes: half of them at once, the others within some seconds."""
    if schedule.pace != "drawn":
        return 20.0 * (number if schedule.pace == "forwards" else 1000 - number)
    chance = Random(f"{schedule.seed}/due/{id}")
    return 0.0 if chance.random() < 0.5 else round(chance.uniform(0.0, 8.0), 3)
