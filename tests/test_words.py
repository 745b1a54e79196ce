"""The face and the language, held against what there is."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import routekit
from routekit import Flow, Step
from routekit.flow import Choosing, Chosen

ROOT = Path(routekit.__file__).parent
NAMES = sorted(name for name in vars(routekit) if not name.startswith("_"))
PUBLIC = [name for name in NAMES if not isinstance(getattr(routekit, name), ModuleType)]
EIPS = sorted(path.stem for path in (ROOT / "eip").glob("*.py") if not path.stem.startswith("_"))
ENDPOINTS = sorted(path.stem for path in (ROOT / "endpoints").glob("*.py") if not path.stem.startswith("_"))
RUNTIME = sorted(path.stem for path in (ROOT / "runtime").glob("*.py") if not path.stem.startswith("_"))
SCOPES = {"choice": Choosing, "attempt": Flow}


def step_of(name: str) -> type[Step[object, object]]:
    module = import_module(f"routekit.eip.{name}")
    (step,) = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Step) and kind.__module__ == module.__name__
    ]
    return step


def test_the_face_names_what_it_gives() -> None:
    """Every name is imported `as` itself, from the module that defines it, and nothing is there by accident."""
    text = Path(routekit.__file__).read_text()
    lines = re.findall(r"^from \.([\w.]+) import (\w+) as (\w+)$", text, re.MULTILINE)
    assert sorted(alias for _, _, alias in lines) == PUBLIC
    assert all(name == alias for _, name, alias in lines)
    for module, name, _ in lines:
        value = getattr(routekit, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__ == f"routekit.{module}"


def test_modules_on_the_face_are_the_packages_own() -> None:
    """No third party's module shines through."""
    modules = [getattr(routekit, name) for name in NAMES if name not in PUBLIC]
    assert all(module.__name__.startswith("routekit.") for module in modules)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_docstrings(name: str) -> None:
    """Classes and functions say in a sentence what they are; aliases and constants in the text below them."""
    value = getattr(routekit, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)
        assert value.__doc__, "its own, not an inherited one"
        assert not value.__doc__.startswith(f"{name}("), "a dataclass's own signature is no docstring"


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isclass(getattr(routekit, name))])
def test_public_methods_have_docstrings(name: str) -> None:
    """Those of our own; protocols of durable state may be plain where their names say all."""
    kind = getattr(routekit, name)
    plain = {"Store", "Keys", "Marks", "Letters", "Runtime", "Step", "Chain", "Message"}
    for attribute, value in vars(kind).items():
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if attribute.startswith("_") or not inspect.isfunction(function) or name in plain:
            continue
        overrides = any(attribute in vars(base) for base in kind.__mro__[1:])
        assert function.__doc__ or overrides or name in ("Route", "Policy"), f"{name}.{attribute}"


@pytest.mark.parametrize("name", EIPS)
def test_every_pattern_is_a_word_of_the_language(name: str) -> None:
    """One step in each file, one documented method for it, one test file, and a label."""
    step = step_of(name)
    assert step.word in ("", name)
    assert (step.word or step.__name__.lower()) == name
    method = getattr(Flow, name)
    assert method.__doc__
    assert step.__doc__
    assert (import_module(f"routekit.eip.{name}").__doc__ or "").strip()
    assert (Path(__file__).parent / "eip" / f"test_{name}.py").exists()


@pytest.mark.parametrize("name", EIPS)
def test_options_of_a_word_are_keyword_only(name: str) -> None:
    """What may be left out is given by name."""
    parameters = inspect.signature(getattr(Flow, name)).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert all(p.default is p.empty for p in positional)


def test_the_words_of_a_choice_are_documented() -> None:
    """`when` and `otherwise`."""
    assert all(method.__doc__ for method in (Choosing.when, Chosen.when, Chosen.otherwise))


@pytest.mark.parametrize("name", EIPS)
def test_no_pattern_knows_its_neighbour(name: str) -> None:
    """A file of the vocabulary imports nothing beside it."""
    text = (ROOT / "eip" / f"{name}.py").read_text()
    assert not re.findall(r"^from \.\w* import", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("folder", "name"), [*(("endpoints", name) for name in ENDPOINTS), *(("runtime", name) for name in RUNTIME)]
)
def test_every_module_has_its_tests(folder: str, name: str) -> None:
    """The tests mirror the package; what several modules have in common is tested with the service."""
    with_service = {"services"}
    assert name in with_service or (Path(__file__).parent / folder / f"test_{name}.py").exists()


@pytest.mark.parametrize("name", EIPS)
def test_every_pattern_says_what_it_does_to_promises(name: str) -> None:
    """By a class variable or by `behaves`, in its own class: nobody may forget it."""
    step = step_of(name)
    said = "conduct" in vars(step) or "behaves" in vars(step)
    assert said, f"give {step.__name__} a conduct: PLAIN if all that comes goes on, in order"
