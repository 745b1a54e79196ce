"""How the way of a traced message is written: a line for each step, with what it decided, indented by where it is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ..console import one_line
from ..operating.sights import HopSight, SendSight, TraceSight
from .units import duration, moment

Line = tuple[str, str]
"""A line, and the style that it is shown in on a terminal."""

_WIDE = 100
"""Characters of a value that are shown."""

_GAP = " " * 10
"""As wide as the column of durations."""

_STYLES = {"done": "green", "ended early": "yellow", "dead letter": "bold red", "refused": "bold red"}
_SAID = {
    "sent": ("sent", "green"),
    "ended": ("ended here", "yellow"),
    "kept": ("kept for later", "yellow"),
    "failed": ("FAILED", "bold red"),
    "retried": ("failed, tried again", "red"),
    "rescued": ("failed, rescued", "yellow"),
    "broken off": ("broken off", "red"),
}


def headline(trace: TraceSight) -> Line:
    """What became of a message in a route, in a line."""
    tries = f" after {trace.attempt} tries" if trace.attempt > 1 else ""
    took = f", {duration(trace.seconds)}" if trace.seconds is not None else ""
    return f"{trace.route}: {trace.ended}{tries}{took}", _STYLES.get(trace.ended, "")


@dataclass
class Ways:
    """Writes the ways of one message: what one route called stands at the step that called it."""

    traces: Sequence[TraceSight]
    bodies: bool = False
    _told: set[int] = field(default_factory=set[int])

    def lines(self) -> Iterator[Line]:
        """All of them, the first one first."""
        for number, trace in enumerate(self.traces):
            if id(trace) not in self._told:
                if number:
                    yield "", ""
                yield from self._way(trace, "")

    def _way(self, trace: TraceSight, indent: str) -> Iterator[Line]:
        self._told.add(id(trace))
        text, style = headline(trace)
        if not indent:
            yield f"message {one_line(trace.message)}, {moment(trace.began)}" + _by(trace), "bold"
        yield f"{indent}{text}", style
        if trace.error:
            yield f"{indent}  {one_line(trace.error)}", "red"
        yield from self._hops(trace, indent + "  ")
        if trace.note:
            yield f"{indent}  ({trace.note})", "dim"

    def _hops(self, trace: TraceSight, indent: str) -> Iterator[Line]:
        tried, at, branch = 1, trace.message, ""
        around: dict[tuple[int, ...], str] = {}
        for hop in trace.hops:
            space = _space(trace, hop)
            if hop.attempt != tried:
                tried, at, branch = hop.attempt, trace.message, ""
                yield f"{indent}try {tried}, {duration(hop.at - trace.began)} later", "bold"
            if hop.id != at:
                at = hop.id
                if at.startswith(f"{trace.message}/"):
                    yield f"{indent}{_GAP}{space}{_part(trace, hop)}", "bold"
            around[tuple(hop.path)] = hop.within
            if hop.within and hop.within != branch:
                outer = around.get(tuple(hop.path[:-2]), "")
                yield f"{indent}{_GAP}{space}{one_line(hop.within.removeprefix(f'{outer} > '))}:", "dim"
            branch = hop.within
            yield from self._hop(trace, hop, indent, space)

    def _hop(self, trace: TraceSight, hop: HopSight, indent: str, space: str) -> Iterator[Line]:
        step = hop.step.removeprefix(f"{hop.within} > ") if hop.within else hop.step
        said, style = _SAID.get(hop.outcome, ("", ""))
        told = one_line("; ".join(filter(None, (hop.decision, said))))
        yield f"{indent}{duration(hop.seconds):>8}  {space}{one_line(step)}{f'  => {told}' if told else ''}", style
        inner = f"{indent}{_GAP}{space}  "
        if hop.error:
            yield f"{inner}{one_line(hop.error)} ({hop.place})", "red"
        for number, send in enumerate(hop.sends, 1):
            yield from self._send(trace, send, number, len(hop.sends), inner)
        yield from self._bodies(hop, inner)

    def _send(self, trace: TraceSight, send: SendSight, number: int, of: int, inner: str) -> Iterator[Line]:
        if of > 1:
            yield f"{inner}send {number}: {duration(send.seconds)}, {one_line(send.error) or 'done'}", ""
        for one in self.traces:
            called = one.parent == f"{trace.route}/{trace.message}" and send.at <= one.began <= send.at + send.seconds
            if called and id(one) not in self._told:
                yield from self._way(one, f"{inner}| ")

    def _bodies(self, hop: HopSight, inner: str) -> Iterator[Line]:
        if self.bodies:
            yield f"{inner}before: {_short(hop.before)}", "dim"
            if hop.after != hop.before:
                yield f"{inner}after:  {_short(hop.after)}", "dim"
        elif hop.after is not None and hop.after != hop.before:
            yield f"{inner}{_short_text(', '.join(changes(hop.before, hop.after)))}", "dim"


def changes(before: Any, after: Any) -> list[str]:
    """What is different in a body, field by field."""
    then, now = _fields(before), _fields(after)
    if not then.keys() & now.keys():
        return [f"{_short(before, 40)} -> {_short(after, 40)}"]
    gone = [f"-{name}" for name in then if name not in now]
    new = [f"+{name}: {_short(now[name], 40)}" for name in now if name not in then]
    both = [name for name in then if name in now and then[name] != now[name]]
    return [*(f"{name}: {_short(then[name], 40)} -> {_short(now[name], 40)}" for name in both), *new, *gone]


def _fields(body: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", body) if isinstance(body, Mapping) else {}


def _by(trace: TraceSight) -> str:
    return f", sent by {trace.parent.rpartition('/')[0]}" if trace.parent else ""


def _part(trace: TraceSight, hop: HopSight) -> str:
    return f"part {hop.id[len(trace.message) + 1 :]}"


def _space(trace: TraceSight, hop: HopSight) -> str:
    """How far a step stands from the left: by the steps around it, and by the parts that the message was taken into."""
    parts = hop.id.count("/") - trace.message.count("/") if hop.id != trace.message else 0
    return "  " * (max(0, len(hop.path) // 2 - 1) + parts)


def _short(value: Any, most: int = 10_000) -> str:
    return _short_text(json.dumps(value, ensure_ascii=False), most)


def _short_text(text: str, most: int = _WIDE) -> str:
    text = one_line(text)
    return text if len(text) <= most else f"{text[:most]}..."
