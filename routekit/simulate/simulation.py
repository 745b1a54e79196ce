"""Simulation: many seeded runs of the same routes, each judged, and what fails shrunk."""

import gc
import logging
import random
import time as real
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from .claims import Claims
from .expecting import Expected
from .judging import LOST, ORDER, REPEATED, TOLD, Finding, Watching, judged
from .outside import Happening, Outside
from .report import Observed, Report, Violation
from .running import Played, Scene, played, set_of
from .schedule import Drawn, Fates, Kind, Planned, Schedule
from .shrinking import Shrinker

_FAR = 10_000
"""What is added to a seed for other times and chance with the same messages."""

_SWEEP = 20
"""Runs between two looks for memory that is free."""

_LINES = 40
"""Lines of a story that are told."""


@dataclass
class Simulation:
    """Runs a scene again and again; `progress` is called after each run with how many there were."""

    scene: Scene
    kinds: frozenset[Kind]
    progress: Callable[[int], None] = lambda done: None
    _expected: dict[tuple[int, tuple[str, ...] | None], Expected] = field(
        default_factory=dict[tuple[int, tuple[str, ...] | None], Expected]
    )

    def __post_init__(self) -> None:
        self.claims = Claims.of(self.scene.routes, self.scene.catalog, self.scene.policy)

    def run(self, seeds: Iterable[int], *, fail_fast: bool = False) -> Report:
        """Run all seeds, or until one fails; of each invariant and route the first violation is shrunk."""
        seeds = list(seeds)
        report = self._report(seeds)
        began = real.monotonic()
        with _alone(), self._at_home():
            for number, seed in enumerate(seeds, 1):
                expected = self._expectation(seed, None)
                fates = Drawn(Random(f"{seed}/fates"), self.kinds, expected.operations)
                self._count(report, *self._judged(Schedule(seed), fates))
                self.progress(number)
                if fail_fast and report.violations:
                    report.seeds = seeds[:number]
                    break
                if number % _SWEEP == 0:
                    gc.collect()
        report.spent = real.monotonic() - began
        whole = [expected for (_, inputs), expected in self._expected.items() if inputs is None]
        report.silent = self.claims.sends and not any(one.reached for one in whole)
        return report

    def replay(self, schedule: Schedule) -> Report:
        """Run one schedule, and no faults but those in it."""
        report = self._report([schedule.seed])
        began = real.monotonic()
        with _alone(), self._at_home():
            self._count(report, *self._judged(schedule, Planned(schedule.faults)), shrink=False)
        report.spent = real.monotonic() - began
        return report

    @contextmanager
    def _at_home(self) -> Generator[None]:
        """With a folder of its own for all that is written."""
        scene = self.scene
        with TemporaryDirectory(prefix="routekit-simulate-") as folder:
            self.scene = replace(scene, folder=Path(folder) / "in", data=Path(folder) / "data")
            try:
                yield
            finally:
                self.scene = scene

    def _report(self, seeds: Sequence[int]) -> Report:
        names = [route.name for route in self.scene.routes]
        return Report(names, seeds, observed={name: Observed() for name in names})

    def _expectation(self, seed: int, inputs: tuple[str, ...] | None) -> Expected:
        key = (set_of(seed), inputs)
        if key not in self._expected:
            here = set_of(seed)
            schedules = [
                Schedule(here, inputs=inputs, shuffled=False),
                Schedule(here + _FAR, inputs=inputs),
                Schedule(here, inputs=inputs, pace="forwards"),
                Schedule(here + _FAR, inputs=inputs, pace="backwards"),
            ]
            self._expected[key] = Expected.of([played(self.scene, one, Planned(())) for one in schedules])
        return self._expected[key]

    def _judged(self, schedule: Schedule, fates: Fates) -> tuple[Played, list[Finding]]:
        expected = self._expectation(schedule.seed, schedule.inputs)
        watching: list[Watching] = []

        def watch(outside: Outside) -> None:
            watching.append(Watching(outside, expected, self.claims))

        run = played(self.scene, schedule, fates, watch)
        return run, judged(run, expected, self.claims, watching[0])

    def _count(self, report: Report, run: Played, findings: Sequence[Finding], *, shrink: bool = True) -> None:
        outside = run.outside
        report.faults.update(fault.kind for fault in outside.struck)
        report.operations += outside.operations
        report.lives += outside.life
        report.messages += len(outside.arrivals)
        report.effects += len(outside.effects)
        report.simulated += run.seconds
        for route, invariant in {(finding.route, finding.invariant) for finding in findings}:
            if route in report.observed:
                _observe(report.observed[route], invariant)
        known = {(violation.invariant, violation.route) for violation in report.violations}
        for finding in findings:
            if not finding.allowed and (finding.invariant, finding.route) not in known:
                known.add((finding.invariant, finding.route))
                report.violations.append(self._violation(run, finding, shrink=shrink))

    def _violation(self, run: Played, finding: Finding, *, shrink: bool) -> Violation:
        schedule = replace(run.schedule, faults=tuple(run.outside.struck))
        shrinker = Shrinker(lambda one: self._shows(one, finding) is not None)
        if shrink:
            inputs = [one.id for one in run.outside.arrivals.values() if one.again != "never" and "@" not in one.id]
            schedule = shrinker.shrunk(schedule, inputs)
        shown = self._shows(schedule, finding)
        run, finding = shown or (run, finding)
        where = finding.route, finding.message, finding.text
        story = _story(run.outside, finding.message)
        return Violation(finding.invariant, *where, schedule.seed, schedule, story, shrinker.runs)

    def _shows(self, schedule: Schedule, finding: Finding) -> tuple[Played, Finding] | None:
        """The run of a schedule and what it shows, if that is the same as before, of whatever message."""
        run, findings = self._judged(schedule, Planned(schedule.faults))
        for one in findings:
            if (one.invariant, one.route) == (finding.invariant, finding.route) and not one.allowed:
                return run, one
        return None


def _observe(seen: Observed, invariant: str) -> None:
    if invariant == LOST:
        seen.lost += 1
    elif invariant == REPEATED:
        seen.repeated += 1
    elif invariant == ORDER:
        seen.reordered += 1
    elif invariant == TOLD:
        seen.early += 1


def _story(outside: Outside, message: str) -> list[str]:
    """What happened, as far as it has to do with the message, or with all."""
    everything = message not in outside.arrivals
    lines = [one for one in outside.story if everything or not one.messages or message in one.messages]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES // 2], Happening(0.0, 0, "..."), *lines[-_LINES // 2 :]]
    return [f"{_clock(one.at)} {one.text}" if one.life else one.text for one in lines]


def _clock(seconds: float) -> str:
    minutes, left = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02}:{minutes:02}:{left:06.3f}"


@contextmanager
def _alone() -> Generator[None]:
    """Without what would make two runs differ, collections of memory and the chance of others; and without a log."""
    enabled, chance = gc.isenabled(), random.getstate()
    log = logging.getLogger("routekit")
    level = log.level
    gc.disable()
    random.seed(0)
    log.setLevel(logging.CRITICAL + 1)  # what simulated processes would say is in the stories
    try:
        yield
    finally:
        log.setLevel(level)
        random.setstate(chance)
        if enabled:
            gc.enable()
