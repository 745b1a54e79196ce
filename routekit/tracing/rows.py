"""Rows: a recorded trace as data, and how the store keeps it so that it is found by its message and by its time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import to_json

from ..discretion import told
from ..observing import Spot
from ..options import masked
from ..passage import Passage
from ..sensitive import scrubbed
from .looking import MOST_OF_ALL, Known, Sight
from .recording import Hop, Recording, Sent

TRACES: Final = "routekit.traces"
"""The name of the values in which traces lie, by the ids of their messages."""

NEWEST: Final = "routekit.traces.newest"
"""The name of the values that list them, the newest first."""

ENDED: Final = {
    "done": "done",
    "ended": "ended early",
    "dead": "dead letter",
    "refused": "refused",
    "left": "broken off",
}

_FAR: Final = 10**16
_LONG: Final = 1_000


def key_of(row: Mapping[str, Any]) -> str:
    """Under which key of `TRACES` it is kept: below the id of its message, in the order of time."""
    return f"{row['message']}|{row['began']:017.6f}|{row['route']}"


def newest_key(row: Mapping[str, Any]) -> str:
    """Under which key of `NEWEST` it is listed."""
    return f"{_FAR - int(row['began'] * 1_000_000):016d}|{row['route']}|{row['message']}"


def texts_of(recording: Recording, worker: str = "") -> tuple[dict[str, Any], str, str]:
    """A trace as data without its hops, its text in `TRACES`, and that in `NEWEST`."""
    telling = _Telling(recording)
    row = telling.row(worker)
    hops = [telling.hop(hop) for hop in recording.hops]
    row["note"] = telling.note
    whole = f'{_json({**row, "hops": hops})[:-1]},"bodies":[{",".join(telling.bodies)}]}}'
    return row, whole, _json({**row, "steps": len(hops)})


def row_of(text: str) -> dict[str, Any] | None:
    """What a text of `TRACES` or `NEWEST` says, bodies at their places; None for one that cannot be read."""
    try:
        row: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    bodies = row.pop("bodies", [])
    for hop in row.get("hops", ()):
        for one in (hop, *hop.get("sends", ())):
            for name in ("before", "after", "body", "answer"):
                number = one.get(name)
                if number is not None:
                    one[name] = bodies[number]
    return row


def _json(data: Any) -> str:
    try:
        return to_json(data).decode()
    except ValueError:  # half a character, which JSON can only escape
        return json.dumps(data)


class _Telling:
    """Tells one recording; each body is told once."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._room = MOST_OF_ALL
        self._numbers: dict[str, int] = {}
        known: Known = {}
        self._texts: dict[str, str] = {}
        for sight in _sights(recording):
            self._texts.update(sight.told(known).texts)
        self._within: dict[int, list[Hop]] = {}
        for hop in recording.hops:
            if hop.within is not None:
                self._within.setdefault(hop.within.number, []).append(hop)

    @property
    def bodies(self) -> list[str]:
        """The bodies as JSON, by their numbers."""
        return list(self._numbers)

    @property
    def note(self) -> str:
        """What was left out."""
        cut = self._recording.cut
        notes = [f"{cut:,} more steps were not recorded"] if cut else []
        return "; ".join([*notes, *(["some bodies were left out"] if self._room <= 0 else [])])

    def row(self, worker: str) -> dict[str, Any]:
        """The trace without its hops."""
        recording = self._recording
        return {
            "message": recording.id,
            "route": recording.route,
            "worker": worker,
            "attempt": recording.attempt,
            "began": recording.at,
            "seconds": recording.seconds,
            "ended": "at work" if recording.ended is None else ENDED[recording.ended],
            "parent": recording.parent,
            "error": self._error(recording.error),
        }

    def hop(self, hop: Hop) -> dict[str, Any]:
        """One step."""
        row: dict[str, Any] = {
            "id": hop.id,
            "step": self._recording.look.named(hop.spot, lambda: masked(hop.spot.label)),
            "within": self._recording.look.named((hop.spot,), lambda: _within(hop.spot)),
            "place": str(hop.spot.place),
            "path": hop.spot.path,
            "at": hop.at,
            "seconds": self._own(hop),
            "outcome": self._outcome(hop),
            "decision": self._decision(hop),
            "error": "" if hop.passed_on else self._error(hop.error),
            "attempt": hop.attempt,
            "before": self._body(hop.seen),
            "after": self._body(self._after(hop)),
        }
        if hop.sends:
            row["sends"] = [self._sent(sent) for sent in hop.sends]
        return row

    def _own(self, hop: Hop) -> float:
        return max(0.0, (hop.seconds or 0.0) - hop.inner)

    def _sent(self, sent: Sent) -> dict[str, Any]:
        return {
            "to": sent.target,
            "at": sent.at,
            "seconds": sent.seconds or 0.0,
            "error": self._error(sent.error),
            "body": self._body(sent.seen),
            "answer": self._body(sent.answer),
        }

    def _inside(self, hop: Hop, *, branch: bool) -> Iterator[Hop]:
        """The steps entered from it: those in its branches, or those that follow it."""
        depth = len(hop.spot.path)
        for one in self._within.get(hop.number, ()):
            if (one.spot.path[:depth] == hop.spot.path) == branch:
                yield one

    def _after(self, hop: Hop) -> Sight | None:
        """The message as the step let it go on; None if it did not, or only in parts."""
        if not hop.on:
            return hop.reply
        following = next(self._inside(hop, branch=False), None)
        return following.seen if following is not None and following.id == hop.id else None

    def _outcome(self, hop: Hop) -> str:
        if hop.error is not None and not hop.passed_on:
            return self._failure(hop)
        if hop.broken_off:
            return "broken off"
        if hop.sends and hop.sends[-1].error is None:
            return "sent"
        if hop.on or hop.replied or hop.branches or hop.passed_on:
            return "on"
        return "kept" if hop.spot.step.keeps else "ended"

    def _failure(self, hop: Hop) -> str:
        """What became of an error: a step around it tried again, or dealt with it, or the route tried again."""
        later = [one for one in self._recording.hops[hop.number + 1 :] if one.spot is hop.spot and one.id == hop.id]
        if any(one.within is hop.within and one.attempt == hop.attempt and hop.within for one in later):
            return "retried"
        error, above = hop.error, hop.within
        while above is not None:
            if above.error is not error and (above.error is None or above.passed_on):
                return "rescued"
            error, above = above.error, above.within
        return "retried" if any(one.attempt > hop.attempt for one in later) else "failed"

    def _decision(self, hop: Hop) -> str:
        inside = [one.error for one in self._inside(hop, branch=True)]
        passage = Passage(
            tuple(hop.branches),
            hop.on or hop.replied,
            hop.parts,
            self._own(hop),
            None if hop.passed_on else hop.error,
            tuple(error for error in inside if error is not None and error is not hop.error),
        )
        try:
            said = hop.spot.step.explained(passage)
        except Exception:  # a stranger's step: the trace goes on without its words
            said = ""
        if not said and hop.parts:
            said = f"{hop.parts:,} part{'s' if hop.parts != 1 else ''}"
        return scrubbed(": ".join(filter(None, (said, ", ".join(hop.seen.values)))), self._texts)

    def _error(self, error: Exception | None) -> str:
        return "" if error is None else scrubbed(told(error), self._texts)[:_LONG]

    def _body(self, sight: Sight | None) -> int | None:
        """The number of a body, if there is one, and room for it."""
        if sight is None or sight.data is None:
            return None
        text = _json(sight.data)
        number = self._numbers.get(text)
        if number is not None:
            return number
        if self._room <= 0:
            return self._numbers.setdefault('"... left out"', len(self._numbers))
        self._room -= len(text)
        return self._numbers.setdefault(text, len(self._numbers))


def _within(spot: Spot) -> str:
    """The branches around a step, as its label names them."""
    return masked(spot.label.removesuffix(spot.step.label).removesuffix(" > "))


def _sights(recording: Recording) -> Iterator[Sight]:
    yield recording.body
    for hop in recording.hops:
        yield hop.seen
        yield from (sight for sight in (hop.reply, *(sent.answer for sent in hop.sends)) if sight is not None)
        yield from (sent.seen for sent in hop.sends)
