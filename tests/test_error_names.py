"""Classes of errors by name."""

import pytest

from routekit import CircuitOpen, UnknownName
from routekit.error_names import class_named


class Known(Exception):
    pass


class Elsewhere:
    """Somebody else's module, who names an error as Python does."""

    KeyError = type("KeyError", (Exception,), {"__qualname__": "Elsewhere.KeyError"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("KeyError", KeyError),
        ("CircuitOpen", CircuitOpen),
        ("routekit.errors.CircuitOpen", CircuitOpen),
        ("Known", Known),
        (f"{__name__}.Elsewhere.KeyError", Elsewhere.KeyError),
    ],
)
def test_a_class_is_found(name: str, kind: type[Exception]) -> None:
    """With its module or without: one of Python, of RouteKit, or any that is loaded."""
    assert class_named(name, []) is kind


def test_classes_that_routes_name_come_first() -> None:
    """Before those of Python with the same name."""
    assert class_named("KeyError", [Elsewhere.KeyError, ValueError]) is Elsewhere.KeyError


def test_names_that_are_not_clear() -> None:
    """Two of one name, and none."""
    with pytest.raises(UnknownName, match=r"2 errors are called 'KeyError'; give the module too: builtins\.KeyError, "):
        class_named("KeyError", [Elsewhere.KeyError, KeyError])
    with pytest.raises(UnknownName, match="there is no class of errors 'Knwon'; did you mean 'Known'"):
        class_named("Knwon", [Known])
    with pytest.raises(UnknownName):
        class_named("KeyboardInterrupt", [])
