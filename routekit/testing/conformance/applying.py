"""Which tests of the kit apply to an endpoint: those of its direction, of what it promises, and of the hooks given."""

import inspect
from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import Any, TypeAlias, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

Need: TypeAlias = Callable[[Any], str]
"""Why a test does not apply to a class, or an empty text."""

_OPEN = "__routekit_open__"
_NEEDS = "__routekit_needs__"


def hook(function: F) -> F:
    """Mark a method that the author may give; without it, what needs it is not tried."""
    setattr(function, _OPEN, True)
    return function


def given(*names: str) -> Need:
    """The author has given these methods, or values for these names."""

    def need(contract: Any) -> str:
        missing = [name for name in names if not _is_given(contract, name)]
        return f"{', '.join(missing)} not given" if missing else ""

    return need


def _is_given(contract: Any, name: str) -> bool:
    value = getattr(contract, name)
    return not getattr(value, _OPEN, False) if callable(value) else bool(value)


def promised(name: str) -> Need:
    """The endpoint promises it."""

    def need(contract: Any) -> str:
        return "" if getattr(contract.promised, name) else f"{name} not promised"

    return need


def not_promised(name: str) -> Need:
    """The endpoint does not say so: it is said of those that hold less than others."""

    def need(contract: Any) -> str:
        return f"it is {name}" if getattr(contract.promised, name) else ""

    return need


def of_kind(base: type[Any], what: str) -> Need:
    """The endpoint is of that kind."""

    def need(contract: Any) -> str:
        return "" if issubclass(contract.kind, base) else f"it is no {what}"

    return need


def in_real_time(contract: Any) -> str:
    """The tests run by the real clock."""
    return "runs in virtual time" if contract.in_virtual_time else ""


def trial(*needs: Need) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a method `test(self, bench, ...)` one that pytest runs, on a bench of its own, if it applies."""

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(test)
        async def run(self: Any, **given: Any) -> None:
            folder = given.pop("tmp_path")
            await self.on_bench(folder, partial(test, self, **given))

        signature = inspect.signature(test)
        kept = [parameter for name, parameter in signature.parameters.items() if name != "bench"]
        folder = inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY)
        setattr(run, "__signature__", signature.replace(parameters=[*kept, folder]))  # noqa: B010 - no such attribute
        del run.__wrapped__
        setattr(run, _NEEDS, needs)
        return run

    return decorate


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
    return next((reason for need in needs if (reason := need(contract))), "")
