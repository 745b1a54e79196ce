"""Judging: what a run must never show, whatever went wrong in it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from .claims import Claims
from .expecting import Expected, Key, effects_of
from .model import absent
from .outside import Arrival, Outside
from .running import Played
from .schedule import ENDS, Fault

LOST: Final = "nothing is lost"
TOLD: Final = "acknowledged when done"
REPEATED: Final = "no effect repeated"
ORDER: Final = "order kept"
BOUNDED: Final = "nothing unbounded"
REST: Final = "comes to rest"

INVARIANTS: Final[Mapping[str, str]] = {
    LOST: "every accepted message ends delivered, as a dead letter, or still stored",
    TOLD: "no message is acknowledged, or forgotten by the store, before what it causes is done or stored",
    REPEATED: "no effect happens again where it is claimed to happen once, nor more often than anything went wrong",
    ORDER: "messages keep the order that is claimed",
    BOUNDED: "slots in flight, groups and tasks stay within their limits",
    REST: "once nothing goes wrong any more, every message is told of and every route stops",
}
"""What holds in every run, in one line each."""

_MANY = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """What a run has shown; `allowed` if the routes promise no better."""

    invariant: str
    route: str
    message: str
    text: str
    allowed: bool = False


class Watching:
    """Looks at each acknowledgement, and at what the store forgets, at the moment when it happens."""

    def __init__(self, outside: Outside, expected: Expected, claims: Claims) -> None:
        self.findings: list[Finding] = []
        self._outside = outside
        self._expected = expected
        self._claims = claims
        outside.watch = partial(self._look)

    def _look(self, arrival: Arrival, why: str) -> None:
        if not arrival.accepted or any(finding.message == arrival.id for finding in self.findings):
            return
        judge = _Judge(self._outside, self._expected, self._claims)
        for sink, allowed in judge.missing(arrival):
            text = f"{arrival.id} was {why} while {sink} had not got it, and nothing holds it"
            self.findings.append(Finding(TOLD, arrival.route, arrival.id, text, allowed))
            return


def judged(played: Played, expected: Expected, claims: Claims, watching: Watching) -> list[Finding]:
    """All that is wrong in a run that is over."""
    judge = _Judge(played.outside, expected, claims)
    return [*watching.findings, *judge.lost(), *judge.repeated(), *judge.disordered(), *judge.unbounded(played)]


class _Judge:
    def __init__(self, outside: Outside, expected: Expected, claims: Claims) -> None:
        self._outside = outside
        self._expected = expected
        self._claims = claims
        self._effects = effects_of(outside, expected.unsteady)
        self._all = effects_of(outside) if expected.unsteady else self._effects
        self._crashed = any(fault.kind in ENDS for fault in outside.struck)

    def missing(self, arrival: Arrival) -> Iterator[tuple[str, bool]]:
        """The sinks that should have a message and have not, without an excuse; and whether that is allowed."""
        wanted = self._expected.for_(arrival) or Counter[Key]()
        got = self._got(arrival)
        wanting = [key for key in wanted if key not in got]
        sinks = {sink for sink, _, _ in wanting} | set(self._unmeant(arrival))
        if not sinks or self._outside.holds(arrival) or self._outside.is_dead(arrival):
            return
        if self._excused(arrival, wanting, set(got) - set(wanted)):
            return
        for sink in sorted(sinks):
            yield sink, self._claims.delivery(arrival.route, sink) == "at-most-once"

    def _unmeant(self, arrival: Arrival) -> list[str]:
        """The sinks that have less of a message than the definition of its route says."""
        effects = Counter[tuple[str, str]]()
        for (sink, _, body), count in self._all.get(arrival.id, Counter[Key]()).items():
            effects[sink, body] += count
        return absent(self._claims.model.meant(arrival.route, arrival.message), effects, self._expected.unsteady)

    def lost(self) -> Iterator[Finding]:
        """Messages that have not ended as one must."""
        for arrival in self._outside.arrivals.values():
            states = {copy.state for copy in arrival.copies}
            if not arrival.accepted and states & {"waiting", "taken"}:
                where = "waits at its source" if "waiting" in states else "was taken, and its source never told"
                yield Finding(REST, arrival.route, arrival.id, f"{arrival.id} still {where}", False)
            elif arrival.accepted or "back" not in states:
                for sink, allowed in self.missing(arrival):
                    text = f"{arrival.id} is lost: {sink} never got it, it is no dead letter, and nothing holds it"
                    unknown = not arrival.accepted and arrival.again == "never"
                    if unknown and not allowed and self._crashed:
                        continue  # it was never taken over from a source that brings nothing again
                    yield Finding(LOST, arrival.route, arrival.id, text, (allowed or unknown) and self._crashed)
                    break
                else:
                    yield from self._unsettled(arrival, states)

    def _unsettled(self, arrival: Arrival, states: set[str]) -> Iterator[Finding]:
        """A message that has failed and is nowhere, or that the store holds though its time has come."""
        outside, route = self._outside, arrival.route
        failed = self._claims.model.meant(route, arrival.message).fails
        if failed and "back" not in states and not outside.is_dead(arrival):
            text = f"{arrival.id} fails in a function of the route, and there is no dead letter of it"
            yield Finding(LOST, route, arrival.id, text, arrival.again == "never" and self._crashed)
        wanted = self._expected.for_(arrival)
        if not wanted or not outside.holds(arrival) or not self._claims.timed(route):
            return
        if any(fault.kind == "clock" and fault.amount < 0 for fault in outside.struck):
            return  # its time comes later than this run has ended
        if not outside.is_dead(arrival) and any(key not in self._got(arrival) for key in wanted):
            text = f"{arrival.id} is still stored, though nothing goes wrong any more and its time has come"
            yield Finding(REST, route, arrival.id, text)

    def repeated(self) -> Iterator[Finding]:
        """Effects that happened more often than the routes claim, or than anything went wrong."""
        for known, got in self._effects.items():
            arrival = self._outside.arrivals[known]
            wanted = self._expected.for_(arrival)
            if wanted is None:
                continue
            extra = 0
            for (sink, path, body), count in got.items():
                usual = max(1, wanted[sink, path, "" if arrival.again == "never" else body])
                if count <= usual:
                    continue
                extra += (count - usual) * (sink in self._claims.careful)
                once = self._claims.delivery(arrival.route, sink) == "effectively-once"
                most = usual if once else usual * (1 + self._troubles(sink))
                text = f"{sink} got {known}{path} {count} times, {usual} expected"
                yield Finding(REPEATED, arrival.route, known, text, count <= most)
            if extra > self._troubles(""):
                text = f"{extra} effects of {known} that were on record happened again"
                yield Finding(REPEATED, arrival.route, known, text)

    def disordered(self) -> Iterator[Finding]:
        """Messages that passed one that came before, though their order is claimed."""
        if any(fault.kind == "clock" for fault in self._outside.struck):
            return  # what waits for a time is passed by what came after the clock was set back
        firsts: dict[str, list[Arrival]] = {}
        seen: set[tuple[str, str]] = set()
        for effect in self._outside.effects:
            for root, _, grouped in self._outside.lineage.leaves(effect.id):
                if not grouped and (effect.sink, root) not in seen:
                    seen.add((effect.sink, root))
                    firsts.setdefault(effect.sink, []).append(self._outside.arrivals[root])
        for sink, arrivals in firsts.items():
            yield from self._passed(sink, arrivals)
            yield from self._out_of_sequence(sink, arrivals)

    def _passed(self, sink: str, arrivals: list[Arrival]) -> Iterator[Finding]:
        latest: dict[tuple[str, str], Arrival] = {}
        for arrival in arrivals:
            ordered = self._claims.ordered(arrival.route, sink)
            lane = (arrival.source, "" if ordered == "yes" else self._claims.key(arrival))
            if arrival.troubled or len(arrival.copies) > 1:
                continue
            before = latest.get(lane)
            if before is not None and before.turn > arrival.turn:
                text = f"{sink} got {before.id} before {arrival.id}, which came first"
                yield Finding(ORDER, arrival.route, arrival.id, text, ordered == "no")
                return
            latest[lane] = arrival

    def _out_of_sequence(self, sink: str, arrivals: list[Arrival]) -> Iterator[Finding]:
        """Messages that a `resequence` let pass ahead of one with a lower number."""
        if self._outside.gaps or self._outside.dead:
            return
        latest: dict[tuple[str, str], tuple[int, Arrival]] = {}
        for arrival in arrivals:
            place = self._claims.place(arrival)
            if place is None:
                continue
            lane, number = (arrival.route, place[0]), place[1]
            if lane in latest and latest[lane][0] > number:
                text = (
                    f"{sink} got {latest[lane][1].id}, number {latest[lane][0]}, before {arrival.id}, number {number}"
                )
                yield Finding(ORDER, arrival.route, arrival.id, text)
                return
            latest[lane] = number, arrival

    def unbounded(self, played: Played) -> Iterator[Finding]:
        """Limits that were passed, and processes that did not come to an end."""
        for source, most in self._outside.flight.items():
            limit = self._claims.limits.get(source, _MANY)
            if most > limit and source in self._claims.limits and self._pulled(source):
                yield Finding(BOUNDED, "", source, f"{most} messages of {source} were at work, {limit} are allowed")
        if played.end == "busy":
            yield Finding(BOUNDED, "", "", "the tasks kept each other awake and no time passed")
        if played.end == "stuck":
            yield Finding(REST, "", "", "the service did not stop in its drain time")

    def _pulled(self, source: str) -> bool:
        return any(each.source == source and each.again != "other id" for each in self._outside.arrivals.values())

    def _got(self, arrival: Arrival) -> Counter[Key]:
        got = self._effects.get(arrival.id, Counter[Key]())
        if arrival.again != "never":
            return got
        bare = Counter[Key]()  # only the shape of its effects is known
        for (sink, path, _), count in got.items():
            bare[sink, path, ""] += count
        return bare

    def _excused(self, arrival: Arrival, wanting: list[Key], extra: set[Key]) -> bool:
        claims, route = self._claims, arrival.route
        if claims.drops_by_time(route):
            return True
        if (arrival.troubled or arrival.slowed) and (extra or claims.forgives(route)):
            return True  # a failure led it elsewhere, as the author wants
        if "load_balance" in claims.words.get(route, ()) and len(extra) >= len(wanting):
            return True
        return claims.has(route, frozenset({"idempotent"})) and self._replaced(wanting)

    def _replaced(self, wanting: list[Key]) -> bool:
        """Whether other messages of the same key had the effects instead."""
        for sink in {sink for sink, _, _ in wanting}:
            there = [keys for known, keys in self._expected.effects.items() if known in self._outside.arrivals]
            wanted = sum(1 for keys in there for key in keys if key[0] == sink)
            got = sum(1 for keys in self._effects.values() for key in keys if key[0] == sink)
            if got < wanted:
                return False
        return True

    def _troubles(self, sink: str) -> int:
        """How often an effect at a sink may happen again, since something went wrong."""
        once = self._claims.does_once(sink)
        return sum(_weight(fault, once=once) for fault in self._outside.struck)


def _weight(fault: Fault, *, once: bool) -> int:
    if fault.kind in ENDS or fault.kind in ("cut before", "cut after"):
        return 1
    if fault.kind == "again":
        return 0 if once else 1
    return _MANY if fault.kind in ("away", "slow", "clock") else 0
