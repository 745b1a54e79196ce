"""What `routekit.testing` offers."""

import inspect
import re
from pathlib import Path

import pytest

from routekit import testing

PUBLIC = sorted(
    name for name in vars(testing) if not name.startswith("_") and not inspect.ismodule(getattr(testing, name))
)


def test_the_face_names_what_it_gives() -> None:
    """Every name is imported as itself."""
    lines = re.findall(r"^from \.[\w.]+ import (\w+) as (\w+)$", Path(testing.__file__).read_text(), re.MULTILINE)
    assert all(name == alias for name, alias in lines)
    assert (
        sorted(
            alias
            for _, alias in re.findall(r"import (\w+) as (\w+)$", Path(testing.__file__).read_text(), re.MULTILINE)
        )
        == PUBLIC
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_is_documented(name: str) -> None:
    """With all its methods and attributes that are functions."""
    value = getattr(testing, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return
    assert inspect.getdoc(value)
    if inspect.isclass(value) and value.__module__.startswith("routekit.testing"):
        for attribute, member in vars(value).items():
            function = getattr(member, "fget", None) or member
            inherited = any(attribute in vars(base) for base in value.__mro__[1:])
            if inspect.isfunction(function) and not attribute.startswith("_") and not inherited:
                assert function.__doc__, f"{name}.{attribute}"
