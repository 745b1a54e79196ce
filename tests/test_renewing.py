"""What has changed is imported anew, with what imports it; the rest is not touched."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routekit.loader import load
from routekit.renewing import Renewed, Renewing

MODELS = "class Order:\n    kind = 1\n"
ORDERS = 'from routekit import from_\nfrom .models import Order\nflow = from_("timer:orders", Order)\n'
PLAIN = 'from routekit import from_\nflow = from_("timer:plain", int)\n'


@pytest.fixture(autouse=True)
def _forgets() -> Iterator[None]:
    """What a test imports is gone after it."""
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        del sys.modules[name]


def folder_of(tmp_path: Path, **modules: str) -> Path:
    folder = tmp_path / "routes"
    folder.mkdir()
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def begun(folder: Path) -> Renewing:
    renewing = Renewing(folder)
    assert not load(folder).problems
    return renewing


def renewed(renewing: Renewing) -> Renewed:
    found = renewing.renew()
    assert found is not None
    return found


def modules(folder: Path) -> dict[str, Any]:
    here = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    return {Path(file).stem: sys.modules[name] for name, file in here.items() if file and file.startswith(str(folder))}


def test_nothing_is_read_again_while_nothing_changes(tmp_path: Path) -> None:
    """Also if a file is written that says the same."""
    folder = folder_of(tmp_path, plain=PLAIN)
    renewing = begun(folder)
    assert renewing.renew() is None
    (folder / "plain.py").write_text(PLAIN)
    assert renewing.renew() is None


def test_a_change_is_read_at_once(tmp_path: Path) -> None:
    """Also one within the same second and of the same length, which compiled modules do not show."""
    folder = folder_of(tmp_path, plain=PLAIN, other=PLAIN)
    renewing = begun(folder)
    before = modules(folder)
    for every in range(1, 6):
        (folder / "plain.py").write_text(PLAIN.replace("timer:plain", f"timer:plai{every}"))
        routes = {route.name: route for route in renewed(renewing).routes}
        assert str(routes["plain.flow"].source) == f"timer:plai{every}"
    assert modules(folder)["other"] is before["other"]
    assert modules(folder)["plain"] is not before["plain"]


def test_lines_are_those_of_now(tmp_path: Path) -> None:
    """What a lambda says is taken from its file as it is after the change."""
    folder = folder_of(tmp_path, plain=PLAIN + "more = flow.filter(lambda n: n > 1)\n")
    renewing = begun(folder)
    assert [step.label for step in load(folder).routes[1].chain.steps] == ["filter(n > 1)"]
    (folder / "plain.py").write_text("# more\n" + PLAIN + "more = flow.filter(lambda n: n > 22)\n")
    assert [step.label for step in renewed(renewing).routes[1].chain.steps] == ["filter(n > 22)"]


@pytest.mark.parametrize(
    "importing",
    [
        "from .models import Order",
        "from . import models",
        "from .models import *",
        "def late():\n    from .models import Order\n    return Order",
        "from .between import Order",
        "from .inner.deep import Order",
    ],
)
def test_whoever_imports_it_is_read_again_too(tmp_path: Path, importing: str) -> None:
    """However it does, and over other modules: no class of before is left in it."""
    folder = folder_of(
        tmp_path, models=MODELS, orders=f"{PLAIN}{importing}\n", between="from .models import Order\n", plain=PLAIN
    )
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.py").write_text("from ..models import Order\n")
    renewing = begun(folder)
    before = modules(folder)
    (folder / "models.py").write_text(MODELS.replace("1", "2"))
    assert not renewed(renewing).problems
    after = modules(folder)
    assert after["models"].Order.kind == after["between"].Order.kind == after["deep"].Order.kind == 2
    assert {name for name in after if after[name] is not before.get(name)} == {"models", "orders", "between", "deep"}


def test_a_package_is_read_again_with_its_own_name(tmp_path: Path) -> None:
    """The `__init__` of a folder, and of one in it, are modules as others are."""
    folder = folder_of(tmp_path, __init__="LIMIT = 1\n", orders=f"from . import LIMIT\n{PLAIN}", plain=PLAIN)
    (folder / "inner").mkdir()
    (folder / "inner" / "__init__.py").write_text("SIZE = 1\n")
    (folder / "inner" / "deep.py").write_text(f"from . import SIZE\nfrom .. import LIMIT\n{PLAIN}")
    renewing = begun(folder)
    before = modules(folder)
    (folder / "__init__.py").write_text("LIMIT = 2\n")
    assert len(renewed(renewing).routes) == 3
    after = modules(folder)
    assert (after["orders"].LIMIT, after["deep"].LIMIT, after["deep"].SIZE) == (2, 2, 1)
    assert after["plain"] is before["plain"]
    (folder / "inner" / "__init__.py").write_text("SIZE = 2\n")
    assert len(renewed(renewing).routes) == 3
    assert modules(folder)["deep"].SIZE == 2


def test_modules_come_and_go(tmp_path: Path) -> None:
    """A new file is read, that of a gone one is forgotten, and who imported it fails."""
    folder = folder_of(tmp_path, models=MODELS, orders=ORDERS)
    renewing = begun(folder)
    (folder / "plain.py").write_text(PLAIN)
    assert [route.name for route in renewed(renewing).routes] == ["orders.flow", "plain.flow"]
    (folder / "plain.py").unlink()
    assert [route.name for route in renewed(renewing).routes] == ["orders.flow"]
    (folder / "models.py").unlink()
    found = renewed(renewing)
    assert (found.routes, found.failed) == ([], {"orders"})
    assert "No module named" in found.problems[0].message
    assert "models" not in modules(folder)


@pytest.mark.parametrize("broken", ["flow = 1 / 0\n", "flow = (\n", "import nowhere\n", "raise SystemExit\n"])
def test_a_broken_module_fails_alone_and_stays_for_those_who_have_it(tmp_path: Path, broken: str) -> None:
    """It is tried again at each renewal, until it is mended."""
    folder = folder_of(tmp_path, orders=PLAIN, plain=PLAIN)
    renewing = begun(folder)
    before = modules(folder)
    (folder / "orders.py").write_text(broken)
    for _ in range(2):
        found = renewed(renewing)
        assert [route.name for route in found.routes] == ["plain.flow"]
        assert found.failed == {"orders"}
        assert [problem.place.file for problem in found.problems] == [str(folder / "orders.py")]
        assert modules(folder)["orders"] is before["orders"]
    (folder / "orders.py").write_text(PLAIN)
    found = renewed(renewing)
    assert (len(found.routes), found.failed) == (2, set())
    assert renewing.renew() is None


def test_a_broken_import_fails_all_that_need_it(tmp_path: Path) -> None:
    """When it is mended, they are all read again."""
    folder = folder_of(tmp_path, models=MODELS, orders=ORDERS, plain=PLAIN)
    renewing = begun(folder)
    (folder / "models.py").write_text("class Order(\n")
    assert renewed(renewing).failed == {"models", "orders"}
    (folder / "models.py").write_text(MODELS)
    found = renewed(renewing)
    assert (len(found.routes), found.failed) == (2, set())
    assert modules(folder)["orders"].Order is modules(folder)["models"].Order


def test_a_broken_package_fails_all_its_modules(tmp_path: Path) -> None:
    """The folder's own `__init__` cannot be imported: nothing of it is new."""
    folder = folder_of(tmp_path, __init__="", plain=PLAIN)
    renewing = begun(folder)
    (folder / "__init__.py").write_text("1 / 0\n")
    assert "plain" in renewed(renewing).failed
    (folder / "__init__.py").write_text("")
    assert [route.name for route in renewed(renewing).routes] == ["plain.flow"]


def test_a_choice_that_is_not_closed_is_a_failure_of_its_module(tmp_path: Path) -> None:
    """It can be imported, but not be run."""
    folder = folder_of(tmp_path, plain=PLAIN)
    renewing = begun(folder)
    (folder / "plain.py").write_text(PLAIN + "more = flow.choice().when(lambda n: n, lambda f: f)\n")
    assert renewed(renewing).failed == {"plain"}


def test_one_module_has_its_own_folder(tmp_path: Path) -> None:
    """Of a module that is served alone, what it imports beside it counts too."""
    folder = folder_of(tmp_path, models=MODELS, orders=ORDERS, plain=PLAIN)
    renewing = begun(folder / "orders.py")
    (folder / "models.py").write_text(MODELS.replace("1", "2"))
    found = renewed(renewing)
    assert [route.name for route in found.routes] == ["orders.flow"]
    assert found.routes[0].body.kind == 2
