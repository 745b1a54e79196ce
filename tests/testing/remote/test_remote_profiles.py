"""The profiles of vendors: each figure has a source and a date, and each knob that is turned has a figure."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from routekit.remotes import Creating, Feed, Unclear
from routekit.testing import remote
from routekit.testing.remote import HUBSPOT, PROFILES, STRIPE, FakeRemote, Fault, FaultKind, Knobs, Profile

PUBLIC = sorted(name for name, value in vars(remote).items() if inspect.isclass(value) or inspect.isfunction(value))


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_each_figure_says_where_it_is_from(profile: Profile) -> None:
    """With the day of reading; none is called verified, and each names a knob that there is."""
    names = {field.name for field in dataclasses.fields(Knobs)}
    for figure in profile.figures:
        assert figure.source
        assert figure.seen.year >= 2026
        assert not figure.verified
        assert not figure.knob or figure.knob in names


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_each_limit_has_a_figure(profile: Profile) -> None:
    """Numbers that a vendor might change are never in the knobs alone."""
    numbers = ("budget", "batch", "key_life", "token_life")
    turned = {name for name in numbers if getattr(profile.knobs, name) != getattr(Knobs(), name)}
    assert turned <= {figure.knob for figure in profile.figures}
    assert profile.knobs.abilities.verified is None


@pytest.mark.anyio
async def test_a_profile_behaves_as_told() -> None:
    """A merge gives a new id in one, an error is replayed in another, and each opens and answers."""
    crm = FakeRemote("hubspot", HUBSPOT.knobs, now=lambda: 0.0)
    first, second = crm.system.user_create({"email": "a"}), crm.system.user_create({"email": "b"})
    assert crm.system.user_merge(first, second) not in (first, second)

    money = FakeRemote("stripe", STRIPE.knobs, now=lambda: 0.0)
    money.system.faults.plan(Fault(FaultKind.BEFORE, op="create"))
    for _ in range(2):
        with pytest.raises(Unclear):
            await money.session().create({"name": "Ada"}, key="k")
    assert money.system.records == {}

    for profile in PROFILES:
        session = FakeRemote(profile.name, profile.knobs).session()
        await session.scan()
        if profile.knobs.feed is not Feed.NONE:
            await session.changes(None)
        if profile.knobs.creating is Creating.NATURAL:
            assert profile.knobs.external_key


def test_the_face_names_what_it_gives() -> None:
    """Every name is imported as itself, and documented with its public methods."""
    lines = re.findall(r"^from \.\w+ import (\w+) as (\w+)$", Path(remote.__file__).read_text(), re.MULTILINE)
    assert all(name == alias for name, alias in lines)
    assert set(PUBLIC) <= {name for name, _ in lines}
    for name in PUBLIC:
        assert inspect.getdoc(getattr(remote, name)), name
