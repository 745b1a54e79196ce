"""The circuit breaker as a machine, held against a plain one."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import BodyError, CircuitOpen, DefinitionError, Rejected, Unavailable
from routekit.breaker import Breaker, Rules

AWAY = Unavailable("away")


class Bench:
    """A breaker, a clock turned by hand, and what it told."""

    def __init__(self, **rules: Any) -> None:
        self.breaker = Breaker("crm", Rules(**rules))
        self.now = 0.0
        self.told: list[tuple[str, str, float | None]] = []

    def tell(self, state: str, why: str, wait: float | None) -> None:
        self.told.append((state, why, wait))

    def enter(self) -> int:
        return self.breaker.enter(self.now, self.tell)

    def call(self, error: Exception | None = None, took: float = 0.0) -> str:
        """One whole call; gives the state after it."""
        turn, began = self.enter(), self.now
        self.now += took
        self.end(turn, began, error)
        return self.breaker.state

    def end(self, turn: int, began: float = 0.0, error: Exception | None = None) -> None:
        self.breaker.record(turn, began=began, now=self.now, error=error, tell=self.tell)
        self.breaker.leave(turn)


def test_it_opens_at_the_share_and_not_before_the_minimum() -> None:
    """Three of five are too many; with four calls it does not judge yet."""
    bench = Bench(window=10, minimum=5, failures=0.6)
    assert [bench.call(AWAY), bench.call(AWAY), bench.call(AWAY), bench.call()] == ["closed"] * 4
    assert bench.call() == "open"
    assert bench.told == [("open", "3 of 5 calls failed", 60.0)]


def test_open_it_refuses_and_says_why() -> None:
    """And for how long; what it refused is counted."""
    bench = Bench(window=2, minimum=2)
    bench.call(AWAY)
    bench.call(AWAY)
    bench.now = 20
    with pytest.raises(CircuitOpen) as refused:
        bench.enter()
    assert str(refused.value) == (
        "circuit breaker 'crm' is open: 2 of 2 calls failed, the last with Unavailable: away; it tries again in 40 s"
    )
    assert bench.breaker.stats(20)["refused"] == 1


def test_calls_fall_out_of_the_window() -> None:
    """By number, and by age if that is asked for."""
    bench = Bench(window=4, minimum=4)
    states = [bench.call(error) for error in (AWAY, None, None, None, None, AWAY)]
    assert states == ["closed"] * 6
    assert bench.breaker.stats(0)["failed"] == 1
    aged = Bench(window=4, minimum=2, seconds=10)
    aged.call(AWAY)
    aged.now = 10
    assert aged.call(AWAY) == "closed"
    assert aged.breaker.stats(10)["calls"] == 1
    assert aged.breaker.stats(20)["calls"] == 0


def test_slow_calls_open_it() -> None:
    """Those that took the time or more, successful or not."""
    bench = Bench(window=4, minimum=4, slow=5.0, slow_share=0.75)
    for took in (5, 4.9, 6):
        assert bench.call(took=took) == "closed"
    assert bench.call(AWAY, took=10) == "open"
    assert bench.told[0][1] == "3 of 4 calls took 5 s or more"


def test_probes_are_let_through_one_time_only() -> None:
    """So many at a time as there are probes; the others are refused until these decide."""
    bench = Bench(window=1, minimum=1, probes=3)
    bench.call(AWAY)
    bench.now = 60
    turns = [bench.enter() for _ in range(3)]
    with pytest.raises(CircuitOpen, match="is half-open, with all its probes under way"):
        bench.enter()
    bench.end(turns[0])
    with pytest.raises(CircuitOpen):
        bench.enter()
    bench.end(turns[1])
    assert bench.breaker.state == "closed"
    assert [state for state, _, _ in bench.told] == ["open", "half-open", "closed"]


def test_slow_probes_decide_too() -> None:
    """It does not close while those that are missing could still be too slow."""
    bench = Bench(window=1, minimum=1, probes=3, failures=1.0, slow=1.0, slow_share=0.6)
    bench.call(AWAY)
    bench.now = 60
    assert [bench.call(), bench.call(took=1), bench.call()] == ["half-open", "half-open", "closed"]
    bench.call(AWAY)
    bench.now += 60
    assert [bench.call(took=2), bench.call(took=2)] == ["half-open", "open"]


def test_it_opens_again_when_probes_fail() -> None:
    """As soon as they are too many, and for the whole time again."""
    bench = Bench(window=1, minimum=1, probes=4, failures=0.5)
    bench.call(AWAY)
    bench.now = 60
    assert [bench.call(AWAY), bench.call(), bench.call(AWAY)] == ["half-open", "half-open", "open"]
    bench.now = 119
    with pytest.raises(CircuitOpen, match="it tries again in 1 s"):
        bench.enter()
    bench.now = 120
    assert [bench.call() for _ in range(3)] == ["half-open", "half-open", "closed"]


def test_a_probe_without_an_outcome_frees_its_place() -> None:
    """It was cancelled, or failed by the message's own fault."""
    bench = Bench(window=1, minimum=1, probes=1)
    bench.call(AWAY)
    bench.now = 60
    for _ in range(5):
        bench.breaker.leave(bench.enter())
    assert bench.breaker.state == "half-open"
    assert bench.call() == "closed"


def test_late_outcomes_do_not_count() -> None:
    """What entered before the last change of state tells nothing about the state now, and frees no place in it."""
    bench = Bench(window=1, minimum=1, probes=1)
    old = [bench.enter(), bench.enter()]
    bench.call(AWAY)
    bench.now = 60
    probe = bench.enter()
    bench.end(old[0])
    bench.end(old[1], error=AWAY)
    assert bench.breaker.state == "half-open"
    with pytest.raises(CircuitOpen):
        bench.enter()
    bench.end(probe)
    assert bench.breaker.state == "closed"


def test_a_hand_is_stronger() -> None:
    """Opened by hand it stays open until it is closed by hand; then it counts anew. To say it twice changes nothing."""
    bench = Bench(window=2, minimum=2)
    bench.call(AWAY)
    bench.breaker.open(bench.tell)
    bench.breaker.open(bench.tell)
    bench.now = 10**9
    with pytest.raises(CircuitOpen, match="it was opened by hand; it is closed by hand"):
        bench.enter()
    bench.breaker.close(bench.tell)
    assert bench.call(AWAY) == "closed"
    bench.breaker.close(bench.tell)
    assert bench.call(AWAY) == "closed"
    assert bench.told == [("open", "it was opened by hand", None), ("closed", "it was closed by hand", None)]


def test_stats_tell_the_state_and_the_window() -> None:
    """What is under way, too."""
    bench = Bench(slow=1.0)
    bench.call(AWAY, took=2)
    bench.call()
    bench.enter()
    assert bench.breaker.stats(bench.now) == {
        "state": "closed",
        "why": "",
        "calls": 2,
        "failed": 1,
        "slow": 1,
        "under_way": 1,
        "refused": 0,
    }


def test_what_counts_as_a_failure() -> None:
    """What is `Rejected` says something about the message, not about the other side."""
    assert Rules().counts(AWAY)
    assert not Rules().counts(BodyError("x"))
    picky = Rules(on=(OSError, ValueError), never=FileNotFoundError)
    errors = [OSError(), ValueError(), KeyError(), FileNotFoundError(), Rejected("x")]
    assert [picky.counts(error) for error in errors] == [True, True, False, False, False]


@pytest.mark.parametrize(
    "options",
    [
        {"window": 0, "minimum": 0},
        {"minimum": 0},
        {"window": 5},
        {"failures": 0},
        {"failures": 1.1},
        {"slow_share": 0},
        {"slow": 0},
        {"seconds": -1},
        {"open_for": 0},
        {"probes": 0},
    ],
)
def test_rules_that_cannot_work(options: dict[str, float]) -> None:
    """Are refused when written."""
    with pytest.raises(DefinitionError):
        Rules(**options)  # type: ignore[arg-type]


@dataclass
class Plain:
    """The same machine, without thinking of cost: it keeps everything, and asks anew each time."""

    rules: Rules
    state: str = "closed"
    since: float = 0.0
    forced: bool = False
    era: int = 0
    log: list[tuple[float, bool, bool]] = field(default_factory=list)  # ended, failed, slow: of this era
    inside: set[int] = field(default_factory=set)  # calls of this era

    def become(self, state: str, now: float, *, forced: bool = False) -> None:
        self.state, self.since, self.forced = state, now, forced
        self.era += 1
        self.log, self.inside = [], set()

    def lets_through(self, now: float, call: int) -> bool:
        if self.state == "open" and not self.forced and now >= self.since + self.rules.open_for:
            self.become("half-open", now)
        if self.state == "open" or (
            self.state == "half-open" and len(self.inside) + len(self.log) >= self.rules.probes
        ):
            return False
        self.inside.add(call)
        return True

    def too_bad(self, calls: list[tuple[float, bool, bool]]) -> bool:
        failed = sum(failed for _, failed, _ in calls) / len(calls)
        slow = sum(slow for _, _, slow in calls) / len(calls)
        return failed >= self.rules.failures or (self.rules.slow is not None and slow >= self.rules.slow_share)

    def ended(self, call: int, began: float, now: float, outcome: str) -> None:
        if call not in self.inside:
            return
        self.inside.discard(call)
        if outcome == "neither":
            return
        rules = self.rules
        self.log.append((now, outcome == "failed", rules.slow is not None and now - began >= rules.slow))
        if self.state == "closed":
            window = [one for one in self.log[-rules.window :] if rules.seconds is None or one[0] + rules.seconds > now]
            if len(window) >= rules.minimum and self.too_bad(window):
                self.become("open", now)
        else:
            rest = rules.probes - len(self.log)
            kinds = [(now, failed, slow) for failed, slow in product((False, True), repeat=2)]
            verdicts = {self.too_bad([*self.log, *[kind] * rest]) for kind in kinds}
            if verdicts == {True}:
                self.become("open", now)
            elif verdicts == {False}:
                self.become("closed", now)


rules = st.integers(1, 6).flatmap(
    lambda window: st.builds(
        Rules,
        window=st.just(window),
        minimum=st.integers(1, window),
        seconds=st.sampled_from([None, 2.0, 8.0]),
        failures=st.sampled_from([0.2, 0.5, 0.51, 0.7, 1.0]),
        slow=st.sampled_from([None, 1.0]),
        slow_share=st.sampled_from([0.4, 1.0]),
        open_for=st.sampled_from([1.0, 5.0]),
        probes=st.integers(1, 5),
    )
)
steps = st.lists(
    st.one_of(
        st.just(("enter", 0)),
        st.tuples(st.sampled_from(["done", "failed", "failed", "neither"]), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(1, 24)),
        st.just(("enter", 0)),
    ),
    max_size=80,
)


@settings(max_examples=400)
@given(
    rules=rules, steps=steps, hands=st.dictionaries(st.integers(0, 80), st.sampled_from(["open", "close"]), max_size=2)
)
def test_it_is_the_plain_machine(rules: Rules, steps: list[tuple[str, int]], hands: dict[int, str]) -> None:
    """Whatever outcomes come in whatever order and time, with hands in between: the same states, the same refusals."""
    bench = Bench()
    bench.breaker, plain = Breaker("x", rules), Plain(rules)
    breaker, calls, number = bench.breaker, list[tuple[int, int, float]](), 0
    for position, (what, how) in enumerate(steps):
        if position in hands:
            getattr(breaker, hands[position])(bench.tell)
            plain.become(hands[position].replace("close", "closed"), bench.now, forced=hands[position] == "open")
        if what == "wait":
            bench.now += how / 8
        elif what == "enter":
            number += 1
            expected = plain.lets_through(bench.now, number)
            try:
                calls.append((number, bench.enter(), bench.now))
                let = True
            except CircuitOpen:
                let = False
            assert let == expected
        elif calls:
            call, turn, began = calls.pop(how % len(calls))
            plain.ended(call, began, bench.now, what)
            if what != "neither":
                error = AWAY if what == "failed" else None
                breaker.record(turn, began=began, now=bench.now, error=error, tell=bench.tell)
            breaker.leave(turn)
        assert breaker.state == plain.state
        assert breaker.stats(bench.now)["under_way"] == len(plain.inside)
    states = [state for state, _, _ in bench.told]
    allowed = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}
    if not hands:
        assert all(pair in allowed for pair in zip(["closed", *states], states, strict=False))
