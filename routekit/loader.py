"""Loader: a folder of route modules becomes routes.

Every module-level flow with a source is a route, named `module.variable`. A module-level `policy` holds for all routes
of its module, for what their own policies do not say. A module that cannot be imported is a problem of its own; the
others are read all the same.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar, cast, get_origin

from .errors import LoadError
from .flow import Choosing, Chosen, Flow
from .place import Place
from .problem import Problem, problem_of, raised_in
from .route import Policy, Route

V = TypeVar("V")


@dataclass(frozen=True)
class Loaded:
    """The routes of a folder, by name, and what could not be read."""

    routes: Sequence[Route] = ()
    problems: Sequence[Problem] = ()


@dataclass
class _Found:
    routes: list[Route] = field(default_factory=list[Route])
    problems: list[Problem] = field(default_factory=list[Problem])
    candidates: list["_Candidate"] = field(default_factory=list["_Candidate"])
    templates: dict[str, "Template"] = field(default_factory=dict[str, "Template"])
    modules: dict[str, ModuleType] = field(default_factory=dict[str, ModuleType])


@dataclass(frozen=True)
class _Candidate:
    """A flow under the name that a module gives it; a flow that is imported elsewhere has several."""

    flow: Flow[Any]
    name: str
    module: ModuleType
    inner: str


@dataclass(frozen=True)
class Template:
    """A function of a route module that gives a flow: a whole route, or, as a `fragment`, more of one it is given."""

    name: str
    function: Callable[..., Any]
    fragment: bool


def load(path: Path) -> Loaded:
    """The routes of a folder or of one module; raises LoadError if there is neither."""
    found = _read_all(path.resolve())
    if not found.routes and not found.problems:
        raise LoadError(f"no route in '{path.resolve()}'", hint="a route is a module-level variable: name = from_(...)")
    return Loaded(sorted(found.routes, key=lambda route: route.name), found.problems)


def templates(path: Path) -> Sequence[Template]:
    """The functions of a folder or module whose annotation says that they give a Flow; those of broken modules lack."""
    return sorted(_read_all(path.resolve()).templates.values(), key=lambda template: template.name)


def values(path: Path, kind: type[V]) -> tuple[Mapping[str, V], Sequence[Problem]]:
    """The module-level values of a class in a folder or module, as `module.variable`, and what could not be read.

    One that several modules have, as it is imported elsewhere, is there once, by the first of its names.
    """
    found = _read_all(path.resolve())
    named = {
        _named(inner, name): value
        for inner, module in found.modules.items()
        for name, value in vars(module).items()
        if isinstance(value, kind)
    }
    first = {id(value): name for name, value in reversed(named.items())}
    return {name: value for name, value in named.items() if first[id(value)] == name}, found.problems


def _read_all(path: Path) -> _Found:
    if not path.exists():
        raise LoadError(f"there is no '{path}'", hint="give a folder of route modules, or one module")
    if path.is_file() and path.suffix != ".py":
        raise LoadError(f"'{path}' is no Python module", hint="give a folder of route modules, or one module")
    folder = path if path.is_dir() else path.parent
    try:
        package = package_of(folder)
    except (Exception, SystemExit) as error:  # whatever an author's package does when it is imported
        return _Found(problems=[_broken(error, folder / "__init__.py", folder, folder.name)])
    found = _Found()
    for file in [path] if path.is_file() else modules_in(folder):
        _read(file, folder, package, found)
    found.routes.extend(_owned(found.candidates))
    return found


def modules_in(folder: Path) -> Iterable[Path]:
    """The modules below a folder, packages too; tests and names that begin with `_` or a dot are not routes."""
    for file in sorted(folder.rglob("*.py")):
        if not any(part.startswith((".", "_", "test_")) or part == "tests" for part in parts_of(file, folder)):
            yield file


def parts_of(file: Path, folder: Path) -> tuple[str, ...]:
    """The name of a module below its folder; a package has that of its own folder."""
    parts = file.relative_to(folder).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def package_of(folder: Path) -> str:
    """Make the folder importable as a package, so that its modules can import each other relatively; gives its name."""
    name = folder.name if folder.name.isidentifier() else "routes"
    if not _free(name, folder):
        name = f"{name}_{sha256(str(folder).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return name
    init = folder / "__init__.py"
    if init.exists():
        spec = spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
    else:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    if spec.loader is not None:
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit):
            del sys.modules[name]
            raise
    return name


def _free(name: str, folder: Path) -> bool:
    """Whether the name is this folder's, or nobody's."""
    known = sys.modules.get(name)
    if known is not None:
        return str(folder) in [str(Path(place).resolve()) for place in getattr(known, "__path__", [])]
    spec = find_spec(name)
    return spec is None or str(folder) in [str(Path(p).resolve()) for p in spec.submodule_search_locations or []]


def _read(file: Path, folder: Path, package: str, found: _Found) -> None:
    parts = parts_of(file, folder)
    inner = ".".join(parts)
    try:
        module = import_module(".".join([package, *parts]))
    except (Exception, SystemExit) as error:  # whatever an author's module does when it is imported
        sys.modules.pop(f"{package}.{inner}", None)
        found.problems.append(_broken(error, file, folder, inner))
        return
    found.modules[inner] = module
    for name, value in vars(module).items():
        _take(name, value, inner, module, found)
        if isinstance(value, FunctionType) and f"{value.__module__}.".startswith(f"{package}."):
            _take_function(value, value.__module__.removeprefix(package).removeprefix("."), found)


def _broken(error: BaseException, file: Path, folder: Path, inner: str) -> Problem:
    """What is wrong with a module, at the line of the author's that it came through."""
    place = raised_in(error, str(folder), Place(str(file), 1))
    wrong = problem_of(error, place, "")
    return Problem(place, "", f"module '{inner}' cannot be imported: {wrong.message}", wrong.hint)


def _take(name: str, value: Any, inner: str, module: ModuleType, found: _Found) -> None:
    if isinstance(value, Choosing | Chosen):
        flow = cast("Choosing[Any]", value).flow
        places = flow.chain.places or (flow.place,)
        message = f"'{name}' is a choice that was not closed"
        found.problems.append(Problem(places[-1], _named(inner, name), message, "end it with .otherwise(...)"))
    if not isinstance(value, Flow):
        return
    flow = cast("Flow[Any]", value)
    if flow.source is not None:
        found.candidates.append(_Candidate(flow, name, module, inner))


def _take_function(function: FunctionType, inner: str, found: _Found) -> None:
    """A function that gives a flow, under its own name in its own module; what begins with `_` is nobody's business."""
    name = function.__name__
    if _is_flow(function.__annotations__.get("return")) and not name.startswith("_"):
        parameters = list(inspect.signature(function).parameters.values())
        fragment = bool(parameters) and _is_flow(parameters[0].annotation)
        found.templates[_named(inner, name)] = Template(_named(inner, name), function, fragment)


def _is_flow(annotation: object) -> bool:
    """Whether an annotation is `Flow` or `Flow[...]`, also one that is written as a text."""
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == "Flow"
    return annotation is Flow or get_origin(annotation) is Flow


def _owned(candidates: Sequence[_Candidate]) -> Iterable[Route]:
    """Each flow as one route: under its name in the module that it was written in, else in the first that has it."""
    flows: dict[int, list[_Candidate]] = {}
    for candidate in candidates:
        flows.setdefault(id(candidate.flow), []).append(candidate)
    for those in flows.values():
        owner = next((one for one in those if one.flow.place.file == one.module.__file__), those[0])
        route = owner.flow.route(_named(owner.inner, owner.name), (owner.module.__doc__ or "").strip())
        policy = vars(owner.module).get("policy")
        yield replace(route, module=policy) if isinstance(policy, Policy) else route


def _named(inner: str, name: str) -> str:
    """`module.variable`; in the folder's own `__init__` there is no module to name."""
    return f"{inner}.{name}" if inner else name
