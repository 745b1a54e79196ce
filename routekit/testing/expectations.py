"""What a test expects to be sent somewhere, held against what was: message by message, aligned."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from ..plain import plain
from .differences import Difference, closeness, differences, fielded, having, shown
from .traffic import Sent

_MOST = 40_000
"""Pairs of messages that are compared to find out how most of them belong together; of more, those that come first."""

_ALIKE = 2_500
"""Pairs of messages that are compared to find out which are alike; more are missing and unexpected."""

_LINES = 60
"""Lines of a comparison that are printed."""

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
        few = self.size is not None and len(sent) < self.size
        return (
            not few
            and self._counts(len(sent))
            and all(
                row.sent is not None
                and not row.wrong
                and (row.expected is not None or self.others or self.bodies is None)
                for row in self.rows(sent)
            )
        )

    def rows(self, sent: Sequence[Sent]) -> list[Row]:
        """What was sent beside what is expected."""
        if self.bodies is None:
            return [Row(None, at, self._wrong(at, one)) for at, one in enumerate(sent)]
        pairs = self._in_order(sent) if self.in_order else self._in_any_order(sent)
        return list(self._laid_out(sorted([*pairs, *self._similar(pairs, sent)]), sent))

    def said(self, sent: Sequence[Sent]) -> Iterator[str]:
        """The comparison, for people."""
        if not self._counts(len(sent)):
            yield f"  expected {_messages(self.count)}, sent {len(sent)}"
        lines = list(self._lines(sent))
        yield from lines[:_LINES]
        if len(lines) > _LINES:
            yield f"  ... and {len(lines) - _LINES} lines more"
        if self.bodies is not None and self.in_order and self._only_order(sent):
            yield "  the same messages were sent, but in another order: in_order=False takes any"

    def _lines(self, sent: Sequence[Sent]) -> Iterator[str]:
        for right, rows in groupby(self.rows(sent), key=lambda row: row.sent is not None and self._right(row)):
            group = list(rows)
            if right and len(group) > 2:
                yield f"  =  {_number(group[0])} to {_number(group[-1]).strip()} are as expected"
            else:
                yield from (line for row in group for line in self._line(row, sent))

    def missed(self, sent: Sequence[Sent], others: Sequence[Sent]) -> list[str]:
        """Which of the bodies were not sent here, but are among those that were sent elsewhere."""
        bodies = self.bodies or ()
        missing = [
            row.expected for row in self.rows(sent) if row.expected is not None and (row.wrong or row.sent is None)
        ]
        return [_named(e) for e in missing if any(not differences(bodies[e], one.body) for one in others)]

    def _counts(self, sent: int) -> bool:
        if self.count is None and self.bodies is None:
            return sent > 0
        return self.count is None or self.count == sent

    def _in_order(self, sent: Sequence[Sent]) -> list[tuple[int, int]]:
        """As many pairs as keep the order: those at both ends, and between them the longest common subsequence."""
        first, most = 0, len(self.bodies or ())
        last = 0
        while first < min(most, len(sent)) and not self._wrong(first, sent[first]):
            first += 1
        while last < min(most, len(sent)) - first and not self._wrong(most - 1 - last, sent[-1 - last]):
            last += 1
        middle = (range(first, most - last), range(first, len(sent) - last))
        few = len(middle[0]) * len(middle[1]) <= _MOST
        between = _longest(*middle, self._fit(*middle, sent)) if few else self._earliest(*middle, sent)
        ends = [(most - n, len(sent) - n) for n in range(last, 0, -1)]
        return [*((n, n) for n in range(first)), *between, *ends]

    def _earliest(self, wanted: range, there: range, sent: Sequence[Sent]) -> list[tuple[int, int]]:
        """Pairs in order, each with the first that fits: as good, if all can be paired."""
        pairs: list[tuple[int, int]] = []
        rest = iter(there)
        for e in wanted:
            s = next((s for s in rest if not self._wrong(e, sent[s])), None)
            if s is None:
                break
            pairs.append((e, s))
        return pairs

    def _in_any_order(self, sent: Sequence[Sent]) -> list[tuple[int, int]]:
        """As many pairs as possible: first plain values with what is equal to them, then what fits several."""
        same: dict[str, list[int]] = {}
        for s in reversed(range(len(sent))):
            same.setdefault(repr(plain(sent[s].body)), []).append(s)
        pairs: list[tuple[int, int]] = []
        for e, body in enumerate(self.bodies or ()):
            equal = same.get(repr(plain(body)), [])
            if equal and not self._wrong(e, sent[equal[-1]]):
                pairs.append((e, equal.pop()))
        if isinstance(self.headers, Sequence) or isinstance(self.options, Sequence):  # equal bodies are not the same
            pairs = []
        wanted, there = _unpaired(pairs, len(self.bodies or ()), len(sent))
        return [*pairs, *_free(wanted, self._fit(wanted, there, sent))]

    def _fit(self, wanted: Sequence[int], there: Sequence[int], sent: Sequence[Sent]) -> set[tuple[int, int]]:
        return {(e, s) for e in wanted for s in there if not self._wrong(e, sent[s])}

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
        left, rest = _unpaired(pairs, len(bodies), len(sent))
        if len(left) * len(rest) > _ALIKE:
            return
        like = {(e, s): closeness(bodies[e], sent[s].body) for e in left for s in rest}
        near = sorted(like, key=lambda pair: (-like[pair], pair))
        taken = [*pairs]
        for e, s in near:
            free = e not in {pair[0] for pair in taken} and s not in {pair[1] for pair in taken}
            alike = like[e, s] > 0 or (self.in_order and (not fielded(bodies[e]) or isinstance(bodies[e], having)))
            between = not self.in_order or all((e < pair[0]) == (s < pair[1]) for pair in taken)
            if free and alike and between:
                taken.append((e, s))
                yield e, s

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
        return len(bodies) == len(sent) and not self.holds(sent) and len(self._in_any_order(sent)) == len(bodies)

    def _line(self, row: Row, sent: Sequence[Sent]) -> Iterator[str]:
        if row.sent is None:
            assert row.expected is not None
            assert self.bodies is not None
            yield f"  -  {_named(row.expected):>3} is missing: {shown(self.bodies[row.expected])}"
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


def _unpaired(pairs: Sequence[tuple[int, int]], wanted: int, sent: int) -> tuple[list[int], list[int]]:
    """Which of the expected and of the sent messages have no counterpart."""
    expected, found = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return [e for e in range(wanted) if e not in expected], [s for s in range(sent) if s not in found]


def _longest(wanted: range, there: range, fit: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest common subsequence, as pairs."""
    best: dict[tuple[int, int], int] = {}
    for e in reversed(wanted):
        for s in reversed(there):
            skip = max(best.get((e + 1, s), 0), best.get((e, s + 1), 0))
            best[e, s] = 1 + best.get((e + 1, s + 1), 0) if (e, s) in fit else skip
    pairs: list[tuple[int, int]] = []
    e, s = wanted.start, there.start
    while e in wanted and s in there:
        if (e, s) in fit:
            pairs.append((e, s))
            e, s = e + 1, s + 1
        elif best.get((e + 1, s), 0) >= best.get((e, s + 1), 0):
            e += 1
        else:
            s += 1
    return pairs


def _free(wanted: Sequence[int], fit: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many pairs as possible in any order: a message that several expectations fit goes to one that needs it."""
    owner: dict[int, int] = {}
    fitting: dict[int, list[int]] = {e: [] for e in wanted}
    for e, s in sorted(fit):
        fitting[e].append(s)

    def placed(e: int, seen: set[int]) -> bool:
        for s in fitting[e]:
            if s not in seen:
                seen.add(s)
                if s not in owner or placed(owner[s], seen):
                    owner[s] = e
                    return True
        return False

    for e in wanted:
        placed(e, set())
    return [(e, s) for s, e in owner.items()]


def _named(expected: int) -> str:
    return f"({expected + 1})"


def _number(row: Row) -> str:
    at = row.sent if row.sent is not None else row.expected
    return f"{0 if at is None else at + 1:>3}"


def _messages(count: int | None) -> str:
    if count is None:
        return "a message"
    return f"{count} message{'' if count == 1 else 's'}"
