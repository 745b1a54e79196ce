"""Which cases of the kit apply to an endpoint: those of its direction, of what it promises, and of the hooks given."""

import inspect
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, TypeVar

from ...endpoint import Endpoint

F = TypeVar("F", bound=Callable[..., Any])

PAGE = "docs/plugins/conformance.md"
"""Where every case is explained."""

_OPEN = "__routekit_open__"
_NEEDS = "__routekit_needs__"


@dataclass(frozen=True)
class Need:
    """What has to be so for a case to apply to a class."""

    text: str
    """In a few words, for the table of the documentation."""
    missing: Callable[[Any], str]
    """Why a class does not have it, or an empty text."""
    capability: str = ""
    """The promise that the case tries, if there must be one."""


@dataclass(frozen=True)
class Case:
    """One case of the kit: `name` is stable, `holds` is the sentence that must hold, `advice` where to look if not."""

    name: str
    holds: str
    advice: str
    needs: Sequence[Need]

    @property
    def capability(self) -> str:
        """The promise that it tries; none if it has to hold for every endpoint of its kind."""
        return next((need.capability for need in self.needs if need.capability), "")

    @property
    def applies(self) -> str:
        """When it is tried."""
        return "; ".join(need.text for need in self.needs if need.text) or "always"


def hook(function: F) -> F:
    """Mark a method that the author may give; without it, what needs it is not tried."""
    setattr(function, _OPEN, True)
    return function


def is_given(contract: Any, name: str) -> bool:
    """Whether the author has given this method, or a value for this name."""
    value = getattr(contract, name)
    return not getattr(value, _OPEN, False) if callable(value) else bool(value)


def given(*names: str) -> Need:
    """The author has given these methods, or values for these names."""

    def missing(contract: Any) -> str:
        found = [name for name in names if not is_given(contract, name)]
        return f"{', '.join(found)} not given" if found else ""

    return Need(f"{', '.join(f'`{name}`' for name in names)} given", missing)


def promised(name: str) -> Need:
    """The endpoint promises it."""
    return Need(f"`{name}` promised", lambda one: "" if getattr(one.promised, name) else f"{name} not promised", name)


def not_promised(name: str) -> Need:
    """The endpoint does not say so: it is said of those that hold less than others."""
    return Need(f"not `{name}`", lambda one: f"it is {name}" if getattr(one.promised, name) else "")


def of_kind(base: type[Any], what: str) -> Need:
    """The endpoint is of that kind."""
    return Need(f"a {what}", lambda contract: "" if issubclass(contract.kind, base) else f"it is no {what}")


def has_own(method: str) -> Need:
    """The class of the endpoint has a method of its own, other than the one of every endpoint."""

    def missing(contract: Any) -> str:
        inherited = getattr(contract.kind, method) is getattr(Endpoint, method)
        return f"it has no {method} of its own" if inherited else ""

    return Need(f"has its own `{method}`", missing)


def either(*needs: Need) -> Need:
    """One of these."""

    def missing(contract: Any) -> str:
        reasons = [need.missing(contract) for need in needs]
        return "" if "" in reasons else "; ".join(reasons)

    return Need(" or ".join(need.text for need in needs), missing)


in_real_time = Need("the real clock", lambda contract: "runs in virtual time" if contract.in_virtual_time else "")


def trial(*needs: Need) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a method `test(self, bench, ...)` one that pytest runs, on a bench of its own, if it applies."""

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(test)
        async def run(self: Any, **given: Any) -> None:
            folder = given.pop("tmp_path")
            async with _explained(test):
                await self.on_bench(folder, partial(test, self, **given))

        signature = inspect.signature(test)
        kept = [parameter for name, parameter in signature.parameters.items() if name != "bench"]
        folder = inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY)
        setattr(run, "__signature__", signature.replace(parameters=[*kept, folder]))  # noqa: B010 - no such attribute
        del run.__wrapped__
        setattr(run, _NEEDS, needs)
        return run

    return decorate


def look(test: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a test that looks at the class only: it needs no bench, and always applies."""

    @wraps(test)
    def run(self: Any) -> None:
        try:
            test(self)
        except Exception as error:
            _explain(error, test)
            raise

    setattr(run, _NEEDS, ())
    return run


@asynccontextmanager
async def _explained(test: Callable[..., Any]) -> AsyncGenerator[None]:
    try:
        yield
    except Exception as error:  # of whatever kind: whoever reads it wants to know what it was about
        _explain(error, test)
        raise


def _explain(error: Exception, test: Callable[..., Any]) -> None:
    case = _case(test.__name__, test)
    error.add_note(f"\nIt must hold: {case.holds}\nWhere to look: {case.advice}\nRead {PAGE}: {case.name}")


def cases(contract: type[Any]) -> list[Case]:
    """All cases of a contract, in their order, those that do not apply to it too."""
    return [_case(name, test) for name, test in trials(contract).items()]


def _case(name: str, test: Callable[..., Any]) -> Case:
    holds, _, advice = (inspect.getdoc(test) or "").partition("\n\n")
    return Case(name, " ".join(holds.split()), " ".join(advice.split()), getattr(test, _NEEDS, ()))


def trials(contract: type[Any]) -> dict[str, Callable[..., Any]]:
    """The tests of the kit that an author has not replaced, also those that did not apply to a base of the class."""
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(contract.__mro__):
        hidden: Collection[str] = vars(base).get("not_tried", ())
        for name, test in vars(base).items():
            if hasattr(test, _NEEDS):
                found[name] = test
            elif name not in hidden:
                found.pop(name, None)
    return found


def inapplicable(contract: type[Any], test: Callable[..., Any]) -> str:
    """Why a test does not apply to a class, or an empty text."""
    needs: tuple[Need, ...] = getattr(test, _NEEDS)
    return next((reason for need in needs if (reason := need.missing(contract))), "")
