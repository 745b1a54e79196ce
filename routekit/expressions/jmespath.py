"""JMESPath: a value made of a body by an expression such as `lines[?price > `5`].sku`."""

import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from ..errors import BodyError, DefinitionError, did_you_mean
from ..extras import library
from ..plain import as_json
from ._picking import named, shown


def jmespath(expression: str) -> "JmesPath":
    """A function of the body: what a JMESPath expression makes of it.

    What is not there is None, as everywhere in JMESPath; `||` gives something else instead. The body is JSON text,
    plain data, a model or a dataclass; it is seen as its JSON, with decimals as numbers.
    Raises DefinitionError, with the place, for what is no expression. Needs `routekit-eip[jmespath]`.
    """
    return JmesPath(expression)


@dataclass(frozen=True)
class JmesPath:
    """A compiled expression; what `jmespath` gives."""

    expression: str
    _compiled: Any = field(init=False, repr=False, compare=False)
    _broken: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = f"jmespath({shown(self.expression)})"
        named(self, asked)
        jmes = library("jmespath", extra="jmespath", asked="jmespath")
        broken = jmes.exceptions.JMESPathError
        try:
            with warnings.catch_warnings(action="error", category=PendingDeprecationWarning):
                compiled = jmes.compile(self.expression)
            _check(compiled.parsed, library("jmespath.functions", extra="jmespath", asked="jmespath"))
        except (broken, PendingDeprecationWarning) as error:
            raise DefinitionError(f"{asked} is no JMESPath expression: {_reason(error)}", hint=_HINT) from None
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "_broken", broken)

    def __call__(self, body: Any) -> Any:
        """What the expression makes of the body; raises BodyError for a function that cannot work on it."""
        try:
            return self._compiled.search(as_json(body))
        except self._broken as error:
            raise BodyError(f"jmespath({shown(self.expression)}) cannot be asked of the body: {error}") from None


_HINT = "see jmespath.org; literals are `5`, 'text' or `true`"
_LIBRARY = re.compile(r"^(invalid|bad) jmespath expression:", re.IGNORECASE)


def _check(node: Any, functions: Any) -> None:
    """Find calls that cannot work: the library would find them with the first message."""
    children: list[Any] = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "function_expression":
        name = node["value"]
        known = functions.Functions.FUNCTION_TABLE
        if name not in known:
            raise functions.exceptions.UnknownFunctionError(f"unknown function {name}(); {did_you_mean(name, known)}")
        wanted = known[name]["signature"]
        if len(children) < len(wanted) or (len(children) > len(wanted) and not wanted[-1].get("variadic")):
            reason = f"{name}() takes {len(wanted)} arguments, found {len(children)}"
            raise functions.exceptions.JMESPathError(reason)
    for child in children:
        _check(child, functions)


def _reason(error: Exception) -> str:
    at = getattr(error, "lex_position", None)
    said = str(error).partition("\n")[0].partition(": Parse error")[0]
    said = _LIBRARY.sub("", said).strip(" :.").lower()
    return said if at is None else f"{said}, at column {at + 1}"
