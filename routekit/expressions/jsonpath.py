"""JSONPath (RFC 9535): values of a body by a query such as `$.lines[*].sku`."""

from dataclasses import dataclass, field
from typing import Any

from ..absence import FAIL
from ..errors import BodyError, DefinitionError
from ..extras import library
from ..plain import as_json
from ._picking import named, picked, shown


def jsonpath(query: str, *, one: bool | None = None, missing: Any = FAIL) -> "JsonPath":
    """A function of the body: the values that a JSONPath query (RFC 9535) finds in it.

    A query for one place, such as `$.customer.id`, gives the value there; any other, such as `$.lines[*].sku`, gives a
    list, which may be empty. With `one=True` it has to find exactly one value, with `one=False` it always gives a list.
    `missing` stands for one that is not there; without it the message is refused.

    The body is JSON text, plain data, a model or a dataclass; it is seen as its JSON, with decimals as numbers.
    Raises DefinitionError, with the place, for what is no query. Needs `routekit-eip[jsonpath]`.
    """
    return JsonPath(query, one, missing)


@dataclass(frozen=True)
class JsonPath:
    """A compiled query; what `jsonpath` gives."""

    query: str
    one: bool | None = None
    missing: Any = FAIL
    _compiled: Any = field(init=False, repr=False, compare=False)
    _broken: Any = field(init=False, repr=False, compare=False)
    _single: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = f"jsonpath({shown(self.query)})"
        named(self, asked)
        rfc9535 = library("jsonpath_rfc9535", extra="jsonpath", asked="jsonpath")
        try:
            compiled = rfc9535.compile(self.query)
        except rfc9535.JSONPathError as error:
            raise DefinitionError(f"{asked} is no JSONPath query: {_reason(error)}", hint="see RFC 9535") from None
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "_broken", rfc9535.JSONPathError)
        object.__setattr__(self, "_single", compiled.singular_query() if self.one is None else self.one)

    def __call__(self, body: Any) -> Any:
        """What the query finds in the body; raises BodyError."""
        asked = f"jsonpath({shown(self.query)})"
        try:
            found = self._compiled.find(as_json(body)).values()
        except self._broken as error:
            raise BodyError(f"{asked} cannot be asked of the body: {error}") from None
        return picked(found, one=self._single, missing=self.missing, asked=asked)


def _reason(error: Any) -> str:
    token = error.token
    return f"{error.args[0]}, at column {token.index + 1}" if token is not None else str(error)
