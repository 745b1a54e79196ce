"""What the README shows is true."""

import re
from pathlib import Path
from typing import Any

import pytest

from routekit import Flow
from routekit.testing import Catalog, check, routes_of

README = Path(__file__).parents[1] / "README.md"


def test_the_pair_of_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be read as it stands, and check finds nothing wrong with its route."""
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(compile(block, "README.md", "exec", dont_inherit=True), namespace)
    flows = [value for value in namespace.values() if isinstance(value, Flow)]
    assert len(flows) == 1
    assert check(routes_of(*flows), Catalog()) == []


def test_its_links_lead_somewhere() -> None:
    """To files of the repository."""
    links = [link for link in re.findall(r"\]\(([^)#]+)", README.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (README.parent / link).exists()] == []
