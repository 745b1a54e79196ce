"""The order of things that come after one another."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from routekit.order import cycle, levels


def graphs() -> st.SearchStrategy[dict[str, list[str]]]:
    names = st.sampled_from("abcdef")
    return st.dictionaries(names, st.lists(names, max_size=3, unique=True), max_size=6)


@given(after=graphs())
def test_a_cycle_is_one(after: dict[str, list[str]]) -> None:
    """Each name comes after the next, and the last is the first; none is found only where a sorting exists."""
    circle = cycle(after)
    if circle is not None:
        assert circle[0] == circle[-1]
        assert len(circle) > 1
        assert all(later in after[name] for name, later in pairwise(circle))
    else:
        rank = {name: number for number, level in enumerate(levels(after)) for name in level}
        assert all(rank[other] < rank[name] for name in after for other in after[name] if other in after)


@given(after=graphs())
def test_every_name_has_one_level(after: dict[str, list[str]]) -> None:
    """Also in a circle; names that are no keys have none."""
    assert sorted(name for level in levels(after) for name in level) == sorted(after)
