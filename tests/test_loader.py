"""Loader: a folder of modules becomes routes, and what cannot be read is told with its line."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from routekit import LoadError
from routekit.loader import Loaded, load

Folder = Callable[..., Path]


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Makes a folder of modules; `a__b` is the module `b` in the folder `a`."""

    def make(where: str = "routes", /, **modules: str) -> Path:
        for name, text in modules.items():
            file = tmp_path / where / Path(*name.split("__")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return tmp_path / where

    return make


def names(loaded: Loaded) -> list[str]:
    assert loaded.problems == []
    return [route.name for route in loaded.routes]


TICK = 'from routekit import from_\n{0} = from_("timer:{0}").to("mock:{0}")\n'


def test_name_is_module_and_variable(folder: Folder) -> None:
    """A route is named after its module, with the folders it is in, and its variable; they are sorted."""
    path = folder(b=TICK.format("two"), a=TICK.format("one"), crm__sync__leads=TICK.format("three"))
    assert names(load(path)) == ["a.one", "b.two", "crm.sync.leads.three"]


def test_doc_and_place(folder: Folder) -> None:
    """A route has its module's docstring and the line of its from_."""
    (route,) = load(folder(a='"""Ticks."""\n' + TICK.format("one"))).routes
    assert route.doc == "Ticks."
    assert (Path(route.place.file).name, route.place.line) == ("a.py", 3)


def test_modules_import_each_other(folder: Folder) -> None:
    """Modules of a folder import each other relatively, across folders and without an __init__."""
    path = folder(
        models="WORD = 'mock:hello'\n",
        deep__down__a="from routekit import from_\nfrom ...models import WORD\nr = from_('timer:x').to(WORD)\n",
    )
    (route,) = load(path).routes
    assert [step.label for step in route.chain.steps] == ["to mock:hello"]


def test_package_with_an_init(folder: Folder) -> None:
    """A folder with an __init__ is imported as that package; its flows are routes too."""
    path = folder(
        a__b="from . import WORD\nfrom routekit import from_\nr = from_(f'timer:{WORD}')\n",
    )
    (path / "a" / "__init__.py").write_text("WORD = 'w'\n" + TICK.format("inner"))
    (path / "__init__.py").write_text(TICK.format("outer"))
    assert names(load(path)) == ["a.b.r", "a.inner", "outer"]


def test_module_that_fails(folder: Folder) -> None:
    """A module that cannot be imported is a problem at the author's line; the others are read."""
    path = folder(good=TICK.format("one"), bad="import json\n\njson.loads('{')\n")
    loaded = load(path)
    assert [route.name for route in loaded.routes] == ["good.one"]
    (problem,) = loaded.problems
    assert (Path(problem.place.file).name, problem.place.line) == ("bad.py", 3)
    assert problem.message.startswith("module 'bad' cannot be imported: JSONDecodeError: ")


def test_failure_in_an_imported_module(folder: Folder) -> None:
    """The place is the line that raised, in the module that has it, and every module that needs it is named."""
    path = folder(lib="x = 1\ny = x / 0\n", user="from .lib import y\n")
    loaded = load(path)
    assert [(Path(p.place.file).name, p.place.line) for p in loaded.problems] == [("lib.py", 2), ("lib.py", 2)]
    assert [p.message.split("'")[1] for p in loaded.problems] == ["lib", "user"]


def test_wrong_definition_keeps_its_hint(folder: Folder) -> None:
    """What the language refuses while a module is imported says what to do."""
    path = folder(a="from routekit import Policy, from_\n\nr = from_('timer:x', policy=Policy(concurrency=0))\n")
    (problem,) = load(path).problems
    assert problem.place.line == 3
    assert (problem.message, problem.hint) == (
        "module 'a' cannot be imported: concurrency is 0",
        "it must be 1 or more",
    )


def test_syntax_error(folder: Folder) -> None:
    """A module that is not Python is a problem at the line that Python names."""
    (problem,) = load(folder(bad="x = 1\ny = (\n")).problems
    assert (Path(problem.place.file).name, problem.place.line) == ("bad.py", 2)
    assert problem.message == "module 'bad' cannot be imported: SyntaxError: '(' was never closed"


def test_module_that_exits(folder: Folder) -> None:
    """A module that calls sys.exit is a problem, and does not end the program without a word."""
    loaded = load(folder(bad="import sys\nsys.exit(0)\n", good=TICK.format("one")))
    assert [route.name for route in loaded.routes] == ["good.one"]
    assert [problem.message for problem in loaded.problems] == ["module 'bad' cannot be imported: SystemExit: 0"]


def test_folder_whose_init_fails(folder: Folder) -> None:
    """If the folder's own __init__ fails, nothing of it can be imported: that is the one problem."""
    path = folder(a=TICK.format("one"))
    (path / "__init__.py").write_text("\n1 / 0\n")
    loaded = load(path)
    assert loaded.routes == []
    assert [(Path(p.place.file).name, p.place.line) for p in loaded.problems] == [("__init__.py", 2)]


@pytest.mark.parametrize("flow", ["from_('timer:x').choice()", "from_('timer:x').choice().when(bool, lambda f: f)"])
def test_choice_left_open(folder: Folder, flow: str) -> None:
    """A choice that was not closed is a problem, since it would silently be no route."""
    (problem,) = load(folder(a=f"from routekit import from_\n\nr = {flow}\n")).problems
    assert (problem.route, problem.place.line) == ("a.r", 3)
    assert (problem.message, problem.hint) == ("'r' is a choice that was not closed", "end it with .otherwise(...)")


def test_imported_flow_is_one_route(folder: Folder) -> None:
    """A flow that other modules import is one route, of the module that wrote it."""
    path = folder(z_owner=TICK.format("one"), a_user="from .z_owner import one\nalias = one\n")
    assert names(load(path)) == ["z_owner.one"]


def test_two_names_for_one_flow(folder: Folder) -> None:
    """A flow with two names in its module has the first."""
    assert names(load(folder(a=TICK.format("one") + "other = one\n"))) == ["a.one"]


def test_equal_flows_are_two_routes(folder: Folder) -> None:
    """Flows that are equal but written twice are two routes."""
    text = "from routekit import from_\na = from_('queue:x')\nb = from_('queue:x')\n"
    assert names(load(folder(m=text))) == ["m.a", "m.b"]


def test_route_made_by_a_template(folder: Folder) -> None:
    """A flow that a function of another module made belongs to the module that named it."""
    path = folder(
        template="from routekit import from_\ndef ticking(name): return from_(f'timer:{name}')\n",
        a="from .template import ticking\nr = ticking('x')\n",
    )
    assert names(load(path)) == ["a.r"]


def test_fragments_are_no_routes(folder: Folder) -> None:
    """A flow without a source, and a function of flows, are no routes."""
    text = "from routekit import Flow\npart = Flow().log('x')\ndef more(flow): return flow.log('y')\n"
    assert names(load(folder(a=text + TICK.format("one")))) == ["a.one"]


def test_hidden_files_and_tests_are_left_out(folder: Folder) -> None:
    """Files that begin with `_`, a dot or test_, and folders of tests, are not read."""
    path = folder(a=TICK.format("one"), _draft="1/0", test_a="1/0", tests__b="1/0")
    (path / ".hidden.py").write_text("1/0")
    assert names(load(path)) == ["a.one"]


@pytest.mark.parametrize("name", ["json", "anyio", "email", "pytest", "my-routes", "2026"])
def test_folder_named_like_a_package(folder: Folder, name: str) -> None:
    """A folder may be named like an installed package, imported or not, or like nothing that Python can import."""
    before = sys.modules.get(name)
    path = folder(
        name, lib="WORD = 'w'\n", a="from routekit import from_\nfrom .lib import WORD\nr = from_('timer:x')\n"
    )
    assert names(load(path)) == ["a.r"]
    assert sys.modules.get(name) is before


def test_single_module(folder: Folder) -> None:
    """One module is loaded alone, and still imports its neighbours."""
    path = folder(
        a="from routekit import from_\nfrom .b import two\none = from_('timer:x')\n", b=TICK.format("two"), c="1/0"
    )
    assert names(load(path / "a.py")) == ["a.one", "a.two"]


def test_two_folders_of_one_name(folder: Folder) -> None:
    """Two folders with the same name and modules of the same names do not see each other."""
    text = "from routekit import from_\nfrom .lib import WORD\nr = from_(f'timer:{WORD}')\n"
    first = folder("one/routes", a=text, lib="WORD = 'first'\n")
    second = folder("two/routes", a=text, lib="WORD = 'second'\n")
    assert [str(load(path).routes[0].source) for path in (first, second, first)] == [
        "timer:first",
        "timer:second",
        "timer:first",
    ]


def test_loading_twice_gives_the_same(folder: Folder) -> None:
    """A folder that is loaded again gives equal routes."""
    path = folder(a=TICK.format("one"))
    assert load(path).routes == load(path).routes


def test_working_directory_does_not_matter(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is that of the working directory, and a module of the same name there is not taken for it."""
    path = folder("one/routes", a=TICK.format("one"))
    folder("two/routes", b=TICK.format("two"))
    monkeypatch.chdir(path.parent)
    monkeypatch.syspath_prepend(str(path.parent.parent / "two"))
    assert names(load(Path("routes"))) == ["a.one"]


def test_missing_path(tmp_path: Path) -> None:
    """A path that does not exist is an error that names it whole."""
    with pytest.raises(LoadError, match=f"there is no '{tmp_path}/nope'; give a folder of route modules"):
        load(tmp_path / "nope")


def test_path_that_is_no_module(tmp_path: Path) -> None:
    """A file that is no Python module is refused as that."""
    (tmp_path / "routes.yaml").touch()
    with pytest.raises(LoadError, match="is no Python module"):
        load(tmp_path / "routes.yaml")


def test_folder_without_routes(folder: Folder, tmp_path: Path) -> None:
    """A folder in which nothing is a route is an error that says what a route is."""
    with pytest.raises(LoadError, match=r"no route in .*; a route is a module-level variable: name = from_"):
        load(folder(a="x = 1\n"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(LoadError, match="no route in"):
        load(tmp_path / "empty")


POLICY = "from routekit import Policy, Retry, from_\npolicy = Policy(retry=Retry({0}))\n"


def test_a_policy_of_a_module_holds_for_its_routes(folder: Folder) -> None:
    """Beside what each says itself, and for no other module; where a flow was written counts, not who imports it."""
    path = folder(
        a=POLICY.format(1) + "one = from_('timer:one')\ntwo = from_('timer:two', policy=Policy(deadline=5))\n",
        b="from .a import one as mine\n" + POLICY.format(2) + "three = from_('timer:three')\n",
        c=TICK.format("four"),
    )
    found = {route.name: route for route in load(path).routes}
    one, two = found["a.one"], found["a.two"]
    assert one.module is not None
    assert one.module == two.module
    assert [rule.attempts for rule in one.module.retries] == [1]
    assert (one.policy, two.policy and two.policy.deadline) == (None, 5)
    three, four = found["b.three"].module, found["c.four"].module
    assert (three and three.retries[0].attempts, four) == (2, None)
    assert "b.mine" not in found


def test_modules_may_share_a_policy(folder: Folder) -> None:
    """By importing it under that name."""
    path = folder(
        _shared=POLICY.format(7),
        a="from ._shared import policy\nfrom routekit import from_\none = from_('timer:one')\n",
    )
    (route,) = load(path).routes
    assert route.module is not None
    assert route.module.retries[0].attempts == 7


def test_what_is_called_policy_and_is_none(folder: Folder) -> None:
    """Is not one: a route may be called so."""
    (route,) = load(folder(a="from routekit import from_\npolicy = from_('timer:x')\n")).routes
    assert (route.name, route.module) == ("a.policy", None)
