"""Which clause counts for an error, and what an error in error handling keeps."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import Chain, DefinitionError, Message, Rescue, rescue
from routekit.rescuing import Clauses, causes, checked, counting, following, judged, judging, nearness, noted, several

pytestmark = pytest.mark.anyio


def identity(flow: Any) -> Any:
    return flow


def clause(label: str = "", holds: bool | None = None) -> Rescue:
    """A clause that can be told from others, and whose predicate holds or not; None: it has no predicate."""
    when = None if holds is None else (lambda error: holds)
    return rescue(lambda flow: flow.log(label or "x"), when=when)


@st.composite
def trees(draw: st.DrawFn) -> list[type[Exception]]:
    """Classes of errors below Exception, some of them below several others."""
    kinds: list[type[Exception]] = [Exception]
    for number in range(draw(st.integers(1, 8))):
        parents = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2, unique=True))
        try:
            kinds.append(type(f"E{number}", tuple(parents), {}))
        except TypeError:  # an order of parents that Python does not allow
            kinds.append(type(f"E{number}", (parents[0],), {}))
    return kinds


Scopes = Sequence[Mapping[type[Exception], tuple[bool | None, ...]]]
"""For each scope and class, the clauses: what their predicates say, None for the one without."""


@st.composite
def scopes(draw: st.DrawFn) -> tuple[Scopes, type[Exception]]:
    kinds = draw(trees())
    clauses = st.lists(st.booleans(), max_size=2).flatmap(
        lambda said: st.booleans().map(lambda plain: (*said, *([None] if plain or not said else [])))
    )
    given = draw(st.lists(st.dictionaries(st.sampled_from(kinds), clauses, max_size=4), max_size=3))
    return given, draw(st.sampled_from(kinds))


def oracle(given: Scopes, kind: type[Exception]) -> tuple[int, type[Exception], int] | None:
    """Scope, class and number of the clause that counts, found the plain way: by trying everything."""
    for scope, kinds in enumerate(given):
        fitting = [one for one in kinds if issubclass(kind, one)]
        for near in sorted(fitting, key=kind.__mro__.index):
            said = kinds[near]
            for number, holds in enumerate(said):
                if holds:
                    return scope, near, number
            if None in said:
                return scope, near, said.index(None)
    return None


@given(given=scopes(), data=st.data())
async def test_the_clause_that_counts_is_that_of_the_oracle(given: tuple[Scopes, type[Exception]], data: Any) -> None:
    """The inner scope first, in it the nearest class; of one class the first that holds, or has no predicate.

    In whatever order clauses of different classes, and the one without a predicate, are written.
    """
    written, kind = given
    names: dict[int, tuple[int, type[Exception], int]] = {}
    built: list[tuple[str, dict[type[Exception], tuple[Rescue, ...]]]] = []
    for scope, kinds in enumerate(written):
        made: dict[type[Exception], tuple[Rescue, ...]] = {}
        for near in data.draw(st.permutations(list(kinds))):
            those = [clause(holds=holds) for holds in kinds[near]]
            names.update({id(one): (scope, near, number) for number, one in enumerate(those)})
            if kinds[near][-1] is None:
                those.insert(data.draw(st.integers(0, len(those) - 1)), those.pop())
            made[near] = tuple(those)
        checked(made)
        built.append((str(scope), made))
    found = await counting(Clauses(*built).asked(kind), kind(), Message(1), tell=pytest.fail)
    assert (None if found is None else names[id(found.rescue)]) == oracle(written, kind)
    if found is not None:
        assert (found.scope, found.kind) == (str(names[id(found.rescue)][0]), names[id(found.rescue)][1])


def test_all_clauses_can_be_listed() -> None:
    """Scope by scope, with what they are called."""
    one, two, three = clause(), clause(holds=True), clause()
    clauses = Clauses(("route", {ValueError: (one, two)}), ("module", {OSError: three}))
    assert [(each.scope, each.label, each.rescue) for each in clauses] == [
        ("route", "rescue ValueError", two),
        ("route", "rescue ValueError", one),
        ("module", "rescue OSError", three),
    ]
    assert list(Clauses()) == []


@pytest.mark.parametrize(
    ("rescues", "message", "hint"),
    [
        ({KeyboardInterrupt: clause()}, "found KeyboardInterrupt", "KeyboardInterrupt ends the program"),
        ({BaseException: clause()}, "found BaseException", "BaseException ends the program"),
        ({int: clause()}, "rescue is by class of Exception, found int", "write {ValueError"),
        ({"ValueError": clause()}, "found 'ValueError'", "write {ValueError"),
        ({(ValueError, OSError): clause()}, "found (<class 'ValueError'>", "a class above them, or a clause for each"),
        ({ValueError: identity}, "rescue of ValueError is <function identity", "write {ValueError: rescue("),
        ({ValueError: ()}, "rescue of ValueError is ()", "write {ValueError: rescue("),
        ({ValueError: (clause(), identity)}, "rescue of ValueError is (Rescue(", "write {ValueError: rescue("),
        ({ValueError: (clause(), clause())}, "two clauses rescue ValueError, and nothing says which", "a predicate"),
    ],
)
def test_clauses_that_cannot_work(rescues: Any, message: str, hint: str) -> None:
    """Are refused when written, with what to write instead."""
    with pytest.raises(DefinitionError) as caught:
        checked(rescues)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_rescues_that_cannot_work() -> None:
    """A word that is none, a predicate that cannot be called."""
    with pytest.raises(DefinitionError, match=r"then is 'goon'; did you mean 'go_on'"):
        rescue(identity, then="goon")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"when calls its function with \(error\) or \(error, message\), found"):
        rescue(identity, when=lambda: True)  # type: ignore[arg-type,misc]
    with pytest.raises(DefinitionError, match="when takes a function, found 7"):
        rescue(identity, when=7)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="rescue: a branch gives back the flow"):
        rescue(lambda flow: None)  # type: ignore[arg-type,return-value]
    assert several(clause()) == (clause(),)


def test_a_rescue_knows_where_it_was_written() -> None:
    """Its place is the line of `rescue`; two that say the same are equal, wherever they are."""
    made = Rescue(Chain()), rescue(identity)
    assert made[0] == made[1]
    assert str(made[1].place).endswith(
        f"test_rescuing.py:{test_a_rescue_knows_where_it_was_written.__code__.co_firstlineno + 2}"
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda error: error.args, ("x",)),
        (lambda error, message: (error.args, message.body), (("x",), 1)),
        (lambda error, message=None: message, None),
        (lambda *both: len(both), 1),
        (str, "x"),
    ],
)
async def test_functions_of_the_error(function: Any, said: Any) -> None:
    """They take the error, or the error and the message; plain or async."""
    assert await judged(judging(function, "when"), ValueError("x"), Message(1)) == said

    async def later(error: Exception, message: Message[Any]) -> Any:
        return message.body

    assert await judged(judging(later, "when"), ValueError("x"), Message(1)) == 1


@pytest.mark.parametrize("function", [lambda: 1, lambda a, b, c: 1, lambda error, *, name: 1, lambda **names: 1])
def test_functions_that_cannot_be_called(function: Any) -> None:
    """They take neither one nor two arguments."""
    with pytest.raises(DefinitionError, match="on_failure calls its function with"):
        judging(function, "on_failure")


async def test_a_predicate_that_fails_does_not_hold() -> None:
    """The next clause is asked; what it raised is noted on the error, and told."""

    def broken(error: Exception) -> bool:
        raise KeyError("broken")

    error, told = ValueError("first"), list[str]()
    clauses = Clauses(("route", {ValueError: rescue(identity, when=broken), Exception: clause("general")}))
    found = await counting(clauses.asked(ValueError), error, Message(1), tell=told.append)
    assert found is not None
    assert found.kind is Exception
    assert told == error.__notes__ == ["when=broken of rescue ValueError failed too: KeyError: 'broken'"]


def test_nearness() -> None:
    """How many classes lie between, as Python orders them."""
    assert nearness(FileNotFoundError, OSError) == 1
    assert nearness(FileNotFoundError, (Exception, OSError)) == 1
    assert nearness(OSError, FileNotFoundError) is None


class Frozen(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def test_the_second_error_keeps_the_first() -> None:
    """At the end of its own causes, once, and without going round in circles."""
    first, second, third = ValueError("1"), KeyError("2"), OSError("3")
    assert following(second, first) is second
    assert list(causes(second)) == [first]
    assert following(second, first) is second
    assert list(causes(second)) == [first]
    third.__cause__ = RuntimeError("why")
    assert list(causes(following(third, second))) == [third.__cause__, second, first]
    assert following(first, first) is first
    assert list(causes(first)) == []


def test_a_cause_that_is_raised_again() -> None:
    """It is not made its own cause; a note says what it came with."""
    inner, outer = ValueError("inner"), KeyError("outer")
    outer.__cause__ = inner
    assert following(inner, outer) is inner
    assert inner.__cause__ is None
    assert inner.__notes__ == ["while dealing with KeyError: 'outer'"]


def test_causes_that_go_round() -> None:
    """They end where they begin again."""
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert list(causes(one)) == [two, one]


def test_an_error_that_takes_no_notes() -> None:
    """It is told all the same."""
    told: list[str] = []
    noted(Frozen(), "finally", ValueError("x"), told.append)
    assert told == ["finally failed too: ValueError: x"]
