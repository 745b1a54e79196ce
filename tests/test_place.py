"""Where a step was written."""

from pathlib import Path

from routekit import Flow, from_
from routekit.place import Place, here


def test_a_place_is_the_callers_line() -> None:
    """File and line outside the package."""
    place = here()
    assert place.file == __file__
    assert place.line == test_a_place_is_the_callers_line.__code__.co_firstlineno + 2


def fragment(flow: Flow[int]) -> Flow[int]:
    return flow.filter(bool)


def test_each_step_knows_its_line() -> None:
    """In a chain over many lines, in branches and in fragments."""
    start = test_each_step_knows_its_line.__code__.co_firstlineno
    flow = (
        from_("timer:x", int)
        .filter(bool)
        .transform(
            lambda n: n,
        )
        .apply(fragment)
        .tap(
            lambda f: f.stop(),
        )
    )
    lines = [place.line for place in flow.chain.places]
    assert lines == [start + 5, start + 6, fragment.__code__.co_firstlineno + 1, start + 10]
    assert flow.place.line == start + 4
    ((_, branch),) = flow.chain.steps[-1].branches()
    assert branch.places[0].line == start + 11


def test_it_prints_as_people_name_it() -> None:
    """Relative to the working directory where it can be."""
    assert str(Place(str(Path.cwd() / "routes" / "leads.py"), 12)) == str(Path("routes/leads.py")) + ":12"
    assert str(Place("/elsewhere/leads.py", 1)) == "/elsewhere/leads.py:1"
    assert str(Place("<stdin>", 1)) == "<stdin>:1"


def test_places_do_not_count_when_flows_are_compared() -> None:
    """Two equal chains written on two lines are equal."""
    first = from_("timer:x", int).filter(bool)
    assert first == from_("timer:x", int).filter(bool)
    assert first.chain.places != from_("timer:x", int).filter(bool).chain.places
