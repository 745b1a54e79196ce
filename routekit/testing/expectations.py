"""What a test expects to be sent somewhere, held against what was: message by message, aligned."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from .differences import Difference, closeness, differences, having, shown
from .traffic import Sent

_MOST = 40_000
"""Pairs of messages that are compared to find out which belong together; more are paired by their numbers."""

Fields: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of a comparison: a message that was expected, one that was sent, or both, with what differs."""

    expected: int | None
    sent: int | None
    wrong: Sequence[Difference] = ()


@dataclass(frozen=True)
class Expectation:
    """`headers` and `options` hold for each message, or are one mapping for each, in the order of the bodies."""

    bodies: Sequence[Any] | None
    count: int | None
    headers: Fields | Sequence[Fields] | None
    options: Fields | Sequence[Fields] | None
    in_order: bool
    others: bool

    @property
    def absence(self) -> bool:
        """Whether it is expected that nothing is sent."""
        return self.count == 0 or (self.bodies is not None and not self.bodies and not self.others)

    @property
    def size(self) -> int | None:
        """How many messages are expected, if that is said."""
        return self.count if self.bodies is None else len(self.bodies)

    def hopeless(self, sent: Sequence[Sent]) -> bool:
        """Whether more messages cannot make it come true."""
        return self.size is not None and not self.others and len(sent) > self.size

    def holds(self, sent: Sequence[Sent]) -> bool:
        """Whether what was sent is as expected."""
        return self._counts(len(sent)) and all(
            row.sent is not None and not row.wrong and (row.expected is not None or self.others or self.bodies is None)
            for row in self.rows(sent)
        )

    def rows(self, sent: Sequence[Sent]) -> list[Row]:
        """What was sent beside what is expected."""
        if self.bodies is None:
            return [Row(None, at, self._wrong(at, one)) for at, one in enumerate(sent)]
        wanted = range(len(self.bodies))
        fit = (
            {(e, s) for e in wanted for s in range(len(sent)) if not self._wrong(e, sent[s])}
            if self._few(sent)
            else None
        )
        if fit is None:
            pairs = [(at, at) for at in range(min(len(wanted), len(sent)))]
        else:
            pairs = _ordered(len(wanted), len(sent), fit) if self.in_order else _free(len(wanted), fit)
            pairs = sorted([*pairs, *self._similar(pairs, sent)])
        return list(self._laid_out(pairs, sent))

    def said(self, sent: Sequence[Sent]) -> Iterator[str]:
        """The comparison, for people."""
        if not self._counts(len(sent)):
            yield f"  expected {_messages(self.count)}, sent {len(sent)}"
        for right, rows in groupby(self.rows(sent), key=lambda row: row.sent is not None and self._right(row)):
            group = list(rows)
            if right and len(group) > 2:
                yield f"  =  {_number(group[0])} to {_number(group[-1]).strip()} are as expected"
            else:
                yield from (line for row in group for line in self._line(row, sent))
        if self.bodies is not None and self.in_order and self._only_order(sent):
            yield "  the same messages were sent, but in another order: in_order=False takes any"

    def missing(self, sent: Sequence[Sent]) -> list[int]:
        """Which of the bodies were not sent."""
        return [row.expected for row in self.rows(sent) if row.sent is None and row.expected is not None]

    def fits(self, number: int, body: Any) -> bool:
        """Whether a body is that of this number."""
        return self.bodies is not None and not differences(self.bodies[number], body)

    def _counts(self, sent: int) -> bool:
        if self.count is None and self.bodies is None:
            return sent > 0
        return self.count is None or self.count == sent

    def _few(self, sent: Sequence[Sent]) -> bool:
        return self.bodies is not None and len(self.bodies) * len(sent) <= _MOST

    def _right(self, row: Row) -> bool:
        return not row.wrong and (row.expected is not None or self.others or self.bodies is None)

    def _wrong(self, number: int, one: Sent) -> list[Difference]:
        found: list[Difference] = []
        if self.bodies is not None:
            expected = self.bodies[number]
            written = one.written is not None and isinstance(expected, bytes) and not isinstance(one.body, bytes)
            found += differences(expected, one.written.body if written and one.written else one.body)
        found += _fields("header", self.headers, number, one.message.headers)
        return found + _fields("option", self.options, number, one.options)

    def _similar(self, pairs: Sequence[tuple[int, int]], sent: Sequence[Sent]) -> Iterator[tuple[int, int]]:
        """Those that are left, each with the one most like it; in order they must lie between the same neighbours."""
        bodies = self.bodies or ()
        left = [e for e in range(len(bodies)) if e not in {pair[0] for pair in pairs}]
        rest = [s for s in range(len(sent)) if s not in {pair[1] for pair in pairs}]
        taken: list[tuple[int, int]] = [*pairs]
        plain = not any(isinstance(bodies[e], Mapping | having | list) or hasattr(bodies[e], "__dict__") for e in left)
        for e in left:
            near = [s for s in rest if not self.in_order or all((e < pair[0]) == (s < pair[1]) for pair in taken)]
            best = max(near, key=lambda s: closeness(bodies[e], sent[s].body), default=None)
            if best is None:
                continue
            if closeness(bodies[e], sent[best].body) <= 0 and not (plain and self.in_order):
                continue
            rest.remove(best)
            taken.append((e, best))
            yield e, best

    def _laid_out(self, pairs: Sequence[tuple[int, int]], sent: Sequence[Sent]) -> Iterator[Row]:
        """Pairs, and between them what has no counterpart."""
        by_sent = {s: e for e, s in pairs}
        matched = {e for e, _ in pairs}
        lacking = [e for e in range(len(self.bodies or ())) if e not in matched]
        for s, one in enumerate(sent):
            e = by_sent.get(s)
            while lacking and e is not None and lacking[0] < e:
                yield Row(lacking.pop(0), None)
            yield Row(e, s, () if e is None else self._wrong(e, one))
        for e in lacking:
            yield Row(e, None)

    def _only_order(self, sent: Sequence[Sent]) -> bool:
        bodies = self.bodies or ()
        if len(bodies) != len(sent) or self.holds(sent) or not self._few(sent):
            return False
        fit = {(e, s) for e in range(len(bodies)) for s in range(len(sent)) if not self._wrong(e, sent[s])}
        return len(_free(len(bodies), fit)) == len(bodies)

    def _line(self, row: Row, sent: Sequence[Sent]) -> Iterator[str]:
        if row.sent is None:
            assert row.expected is not None
            assert self.bodies is not None
            yield f"  -  {_number(row)} is missing: {shown(self.bodies[row.expected])}"
            return
        body = shown(sent[row.sent].body)
        if row.expected is None and self.bodies is not None and not self.others:
            yield f"  +  {_number(row)} is unexpected: {body}"
        elif row.wrong:
            yield f"  ~  {_number(row)} differs: {body}"
            yield from (f"           {one}" for one in row.wrong)
        else:
            yield f"  =  {_number(row)} {body}"


def _fields(what: str, expected: Fields | Sequence[Fields] | None, number: int, found: Fields) -> list[Difference]:
    if expected is None:
        return []
    if not isinstance(expected, Mapping):
        if number >= len(expected):
            return []
        expected = expected[number]
    return differences(having(expected), dict(found), what)


def _ordered(wanted: int, sent: int, fit: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many pairs as possible that keep the order: a longest common subsequence."""
    best = [[0] * (sent + 1) for _ in range(wanted + 1)]
    for e in reversed(range(wanted)):
        for s in reversed(range(sent)):
            best[e][s] = 1 + best[e + 1][s + 1] if (e, s) in fit else max(best[e + 1][s], best[e][s + 1])
    pairs: list[tuple[int, int]] = []
    e = s = 0
    while e < wanted and s < sent:
        if (e, s) in fit:
            pairs.append((e, s))
            e, s = e + 1, s + 1
        elif best[e + 1][s] >= best[e][s + 1]:
            e += 1
        else:
            s += 1
    return pairs


def _free(wanted: int, fit: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many pairs as possible in any order: a message that several expectations fit goes to one that needs it."""
    owner: dict[int, int] = {}
    options = {e: sorted(s for one, s in fit if one == e) for e in range(wanted)}

    def placed(e: int, seen: set[int]) -> bool:
        for s in options[e]:
            if s not in seen:
                seen.add(s)
                if s not in owner or placed(owner[s], seen):
                    owner[s] = e
                    return True
        return False

    for e in range(wanted):
        placed(e, set())
    return [(e, s) for s, e in owner.items()]


def _number(row: Row) -> str:
    at = row.sent if row.sent is not None else row.expected
    return f"{0 if at is None else at + 1:>3}"


def _messages(count: int | None) -> str:
    if count is None:
        return "a message"
    return f"{count} message{'' if count == 1 else 's'}"
