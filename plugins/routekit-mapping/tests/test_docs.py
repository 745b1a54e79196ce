"""What is written is true: the README, and the list of converters."""

import re
from pathlib import Path

import pytest

import routekit_mapping
from routekit_mapping import Converter, Mapping

README = Path(__file__).parents[1] / "README.md"
CONVERTERS = Path(__file__).parents[3] / "docs" / "mapping" / "converters.md"


def test_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Its program maps there and back, and prints what it says."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {"__name__": "readme"}
    exec(program, names)  # the program of our own README
    mapping, party = names["customers"], names["party"]
    assert isinstance(mapping, Mapping)
    assert "'Ockham'" in repr(party)
    assert "ada@example.org" in repr(party)
    printed = capsys.readouterr().out
    assert "| town | ↔ | address.city | same | clears |  | address |" in printed
    assert "street <- address.street = missing -> (missing)" in printed


def test_every_converter_is_on_its_page() -> None:
    """The page names each function of the face that gives a converter, and each normaliser."""
    page = CONVERTERS.read_text(encoding="utf-8")
    for name, value in vars(routekit_mapping).items():
        said = str(getattr(value, "__annotations__", {}).get("return", ""))
        if Converter.__name__ in said or "Normal" in said:
            assert f"`{name}" in page or f"{name}(" in page, name


def test_public_names_have_docstrings() -> None:
    """Functions and classes of the face say in a sentence what they are."""
    for name, value in vars(routekit_mapping).items():
        if str(getattr(value, "__module__", "")).startswith("routekit_mapping"):
            assert value.__doc__, name
            assert not value.__doc__.startswith(f"{name}("), name
