"""The README says what is true: its code runs, its picture is the route's."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from routekit import from_
from routekit.check import check
from routekit.loader import load
from routekit.plugins import Catalog
from routekit.show import as_mermaid
from routekit.testing import Run, run_routes, setup_for

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, beginning: str) -> str:
    """The code block of a language that begins so."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(code for code in blocks if code.startswith(beginning))


def test_picture_is_drawn_from_the_route() -> None:
    """The Mermaid picture is what `routekit show` draws of leads.web today."""
    routes = [route for route in load(ROOT / "routes").routes if route.name == "leads.web"]
    assert block("mermaid", "flowchart").rstrip() == as_mermaid(routes)


def test_ten_line_route_passes_the_check(tmp_path: Path) -> None:
    """The route of the README has no problem, and with an option misspelt the one that the README shows."""
    code = block("python", '"""Orders')
    (tmp_path / "routes").mkdir()
    file = tmp_path / "routes" / "orders.py"
    file.write_text(code, encoding="utf-8")
    assert check(load(file).routes, Catalog()) == []
    wrong = tmp_path / "wrong" / "orders.py"
    wrong.parent.mkdir()
    wrong.write_text(code.replace("after=", "aftr="), encoding="utf-8")
    (problem,) = check(load(wrong).routes, Catalog())
    shown = block("text", "routes/orders.py:")
    assert shown == f"routes/orders.py:{problem.place.line}: {problem.route}: {problem.message}\n    {problem.hint}\n"


@pytest.mark.anyio
async def test_plugin_of_thirty_lines_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin of the README takes files, removes the good ones and keeps the refused one."""
    plugin = ModuleType("routekit_spool")
    monkeypatch.setitem(sys.modules, "routekit_spool", plugin)
    exec(compile(block("python", '"""spool'), "README.md", "exec"), plugin.__dict__)
    incoming, outgoing = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    for name, text in (("a", "1"), ("b", "x"), ("c", "3")):
        (incoming / f"{name}.msg").write_text(text)
    catalog = Catalog(modules=[plugin])
    flow = from_(f"spool:{incoming}", int).transform(lambda number: number * 2).to(f"spool:{outgoing}")
    run = await run_routes(flow, setup=setup_for(Run(), catalog=catalog))
    assert sorted(file.read_text() for file in outgoing.iterdir()) == ["2", "6"]
    assert (run.counts["route-1"].refused, list(run.letters)) == (1, [])
    assert [file.name for file in incoming.iterdir()] == ["b.failed"]


def test_links_lead_somewhere() -> None:
    """Every relative link of the README names a file or folder that exists."""
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []
