"""Trying again, and how long to wait."""

from collections.abc import Sequence
from itertools import permutations
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import BodyError, DefinitionError, Expired, Message, Policy, Rejected, Retry, Unavailable, from_
from routekit.retrying import attempts_of, counted, remedies_of
from routekit.retrying import retrying as retrying_after
from routekit.route import retry_for

retries = st.builds(
    Retry,
    attempts=st.integers(0, 50),
    first=st.floats(0, 1e4),
    most=st.floats(0, 1e5),
    factor=st.floats(1, 100),
)


@given(retry=retries, number=st.integers(1, 10_000), seed=st.integers())
def test_waits_are_within_their_bounds(retry: Retry, number: int, seed: int) -> None:
    """Full jitter: anything from nothing to the doubled ceiling, never above `most`."""
    wait = retry.wait(number, Random(seed))
    assert 0 <= wait <= retry.most
    if number < 60:
        assert wait <= retry.first * retry.factor ** (number - 1) * (1 + 1e-9)


def test_waits_fill_their_bounds() -> None:
    """They are spread over the whole range, and double."""
    random = Random(1)
    for number, ceiling in ((1, 1.0), (2, 2.0), (5, 16.0), (9, 60.0)):
        waits = [Retry(first=1, most=60).wait(number, random) for _ in range(500)]
        assert min(waits) < ceiling * 0.05
        assert ceiling * 0.95 < max(waits) <= ceiling


@pytest.mark.parametrize("error", [Rejected("x"), BodyError("x"), Expired("x")])
def test_what_is_rejected_is_never_retried(error: Exception) -> None:
    """Unless the author says so."""
    assert not Retry(5).handles(error)
    assert Retry(5, never=()).handles(error)


def test_classes_say_what_is_retried() -> None:
    """`on` and `never` take one class or several."""
    retry = Retry(1, on=(OSError, ValueError), never=FileNotFoundError)
    assert [retry.handles(error) for error in (OSError(), ValueError(), KeyError(), FileNotFoundError())] == [
        True,
        True,
        False,
        False,
    ]


def test_the_rule_for_the_nearest_class_counts() -> None:
    """Of those that handle the error, in whatever order they are written; a rule that never does is passed over."""
    special, general, middle = Retry(1, on=FileNotFoundError), Retry(2), Retry(3, on=(OSError, KeyError))
    for rules in permutations((special, general, middle)):
        assert retry_for(rules, FileNotFoundError()) is special
        assert retry_for(rules, OSError()) is middle
        assert retry_for(rules, PermissionError()) is middle
        assert retry_for(rules, ValueError()) is general
        assert retry_for(rules, Rejected("x")) is None
    never = Retry(9, on=OSError, never=FileNotFoundError)
    assert retry_for((never, general), FileNotFoundError()) is general
    assert retry_for((), KeyError()) is None


@pytest.mark.parametrize("on", [BodyError, (Rejected, Expired)])
def test_a_rule_that_never_retries_is_refused(on: Any) -> None:
    """What is rejected is retried only where `never` says so."""
    with pytest.raises(DefinitionError, match=r"this never retries .*; `never` holds it"):
        Retry(3, on=on)
    assert Retry(3, on=on, never=()).handles(Expired("x")) is (on != BodyError)
    assert Retry(3, on=(BodyError, OSError)).handles(OSError())


def test_two_rules_for_one_class_are_refused() -> None:
    """Nothing says which of them counts; so nothing depends on the order in which they are written."""
    for rules in [(Retry(1), Retry(2)), (Retry(1, on=(OSError, KeyError)), Retry(2, on=KeyError))]:
        with pytest.raises(DefinitionError, match=r"two rules retry (Exception|KeyError), and nothing says which"):
            Policy(retry=rules)
        with pytest.raises(DefinitionError, match="two rules retry"):
            from_("timer:x").to("log:x", retry=rules)


class Answer(Exception):
    """What a server said."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


def test_a_predicate_has_the_last_word() -> None:
    """After the classes: it is asked only for errors that they let through."""
    asked: list[Exception] = []

    def busy(error: Answer) -> bool:
        asked.append(error)
        return error.status == 503

    retry = Retry(5, on=Answer, when=busy)
    assert [retry.handles(error) for error in (Answer(503), Answer(404), Rejected("x"))] == [True, False, False]
    assert len(asked) == 2


def test_a_rule_with_a_predicate_comes_before_the_one_without() -> None:
    """Of one class; a nearer class comes first all the same. If it does not hold, the next rule is asked."""
    busy, other, near = Retry(9, when=lambda error: "busy" in str(error)), Retry(1), Retry(2, on=OSError)
    for rules in permutations((busy, other, near)):
        assert retry_for(rules, ValueError("busy")) is busy
        assert retry_for(rules, ValueError("bad")) is other
        assert retry_for(rules, OSError("busy")) is near
    assert Policy(retry=(busy, other)).retries == (busy, other)
    assert retry_for((busy,), ValueError("bad")) is None


def test_a_predicate_that_raises_does_not_hold() -> None:
    """The error itself is what is raised in the end, with a note about the other one."""
    error = ValueError("first")
    assert not Retry(5, when=lambda error: error.status == 503).handles(error)
    assert error.__notes__ == [
        "whether it is worth a retry is not known: AttributeError: 'ValueError' object has no attribute 'status'"
    ]


async def later(error: Exception) -> bool:
    return True


@pytest.mark.parametrize("when", [later, lambda: True, lambda error, message: True, "busy", True])
def test_a_predicate_is_a_plain_function_of_the_error(when: Any) -> None:
    """Anything else is refused when written."""
    with pytest.raises(DefinitionError):
        Retry(when=when)


def test_remedies_name_the_predicate() -> None:
    """And end with the first rule that has none."""
    rules = (Retry(1), Retry(2, when=bool), Retry(3, on=OSError))
    remedies = remedies_of(rules, ValueError, "policy")
    assert [(remedy.text.partition(",")[0], remedy.when) for remedy in remedies] == [
        ("2 times", "bool"),
        ("1 time", ""),
    ]


@pytest.mark.parametrize("options", [{"attempts": -1}, {"first": -1}, {"most": -0.1}, {"factor": 0.5}])
def test_rules_that_cannot_work(options: dict[str, float]) -> None:
    """Are refused when written."""
    with pytest.raises(DefinitionError, match="cannot work"):
        Retry(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"deadline": 0}, {"deadline": -1}, {"dead_letter": "file:failed"}]
)
def test_policies_that_cannot_work(options: dict[str, object]) -> None:
    """Are refused when written, with what to write instead."""
    with pytest.raises(DefinitionError):
        Policy(**options)  # type: ignore[arg-type]


def test_one_rule_or_several() -> None:
    """`retries` are always several."""
    assert Policy(retry=Retry(1)).retries == (Retry(1),)
    assert Policy(retry=(Retry(1), Retry(2, on=OSError))).retries == (Retry(1), Retry(2, on=OSError))
    assert Policy().retries == ()


M = Message[Any](None, {}, "m")


async def retrying(attempt: Any, rules: Sequence[Retry], teller: Any, message: Message[Any]) -> Any:
    """With the first try, which callers make by themselves."""
    try:
        return await attempt(1)
    except Exception as error:
        return await retrying_after(error, attempt, rules, teller, message)


class Teller:
    """All of a runtime that retrying asks for."""

    route = "route"

    def __init__(self) -> None:
        self.random = Random(1)
        self.told: list[object] = []
        self.emit = self.told.append


@pytest.mark.anyio
async def test_it_gives_the_first_result() -> None:
    """And tells each failure before it waits."""
    teller, start = Teller(), anyio.current_time()

    async def attempt(number: int) -> int:
        if number < 3:
            raise Unavailable(str(number))
        return number

    assert await retrying(attempt, [Retry(5)], teller, M) == 3
    waits = [(event.attempt, event.message_id, str(event.error)) for event in teller.told]  # type: ignore[attr-defined]
    assert waits == [(1, "m", "1"), (2, "m", "2")]
    passed = sum(event.wait for event in teller.told)  # type: ignore[attr-defined]
    assert anyio.current_time() - start == pytest.approx(passed, abs=1e-3)


@pytest.mark.anyio
@pytest.mark.parametrize("allowed", [0, 1, 4])
async def test_it_raises_the_last_error(allowed: int) -> None:
    """Which knows how often had been tried."""

    async def attempt(number: int) -> None:
        raise Unavailable(str(number))

    with pytest.raises(Unavailable, match=str(allowed + 1)) as caught:
        await retrying(attempt, [Retry(allowed)], Teller(), M)
    assert attempts_of(caught.value) == allowed + 1


@pytest.mark.anyio
async def test_it_can_be_cancelled_while_it_waits() -> None:
    """A stop does not wait for the next try."""
    tries: list[int] = []

    async def attempt(number: int) -> None:
        tries.append(number)
        raise Unavailable("away")

    with anyio.move_on_after(30) as scope:
        await retrying(attempt, [Retry(10**6, first=60, most=60)], Teller(), M)
    assert scope.cancelled_caught
    assert len(tries) < 20


def test_an_error_that_keeps_no_count_was_tried_once() -> None:
    """As far as is known."""
    assert attempts_of(ValueError()) == 1
    assert attempts_of(counted(ValueError(), 7)) == 7
