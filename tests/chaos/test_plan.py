"""The plan of a run comes of its seed alone."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chaos.monkey import BROKER, DATABASE, FAULTS, FREEZE, plan

DAEMONS = ["daemon-1", "daemon-2"]


@given(seed=st.integers(0, 1_000_000), kills=st.integers(0, 40), faults=st.integers(0, 20))
def test_a_plan_has_what_was_asked_for_in_order(seed: int, kills: int, faults: int) -> None:
    """So many kills and faults, the same for a seed, at growing moments within the work."""
    acts = plan(seed, kills, faults, DAEMONS)
    assert acts == plan(seed, kills, faults, DAEMONS)
    counts = Counter("kill" if act.what == "kill" else "fault" for act in acts)
    assert (counts["kill"], counts["fault"]) == (kills, faults)
    assert all(one.at <= next_.at for one, next_ in pairwise(acts))
    assert all(0 < act.at < 1 for act in acts)


@given(seed=st.integers(0, 1_000_000))
def test_all_are_killed_about_equally_often(seed: int) -> None:
    """Of 30 kills the daemons get ten, the broker ten and the database ten; each fault is there."""
    acts = plan(seed, 30, 8, DAEMONS)
    killed = Counter(act.whom for act in acts if act.what == "kill")
    assert (killed[BROKER], killed[DATABASE], sum(killed[name] for name in DAEMONS)) == (10, 10, 10)
    assert {act.what for act in acts} == {"kill", FREEZE, *FAULTS}
    assert {act.what for act in plan(seed, 30, 8, DAEMONS[:1])} == {"kill", *FAULTS}


@given(seed=st.integers(0, 1_000_000))
def test_who_dies_together_is_not_the_same(seed: int) -> None:
    """An act that comes at once with the one before kills somebody else, at the same moment."""
    acts = plan(seed, 30, 8, DAEMONS)
    for before, act in pairwise(acts):
        assert not act.together or (
            before.what == act.what == "kill" and before.at == act.at and before.whom != act.whom
        )
