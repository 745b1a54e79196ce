"""Refusing: an error as an answer, with its status, what is wrong and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from ..discretion import discreet
from ..errors import (
    BodyError,
    DefinitionError,
    Rejected,
    RouteKitError,
    StoreError,
    Throttled,
    Unavailable,
    UnknownName,
)
from ..options import masked
from .answers import Refusal
from .flood import LARGEST


@dataclass(frozen=True)
class Refused:
    """What is told to who is refused; `kind` is the class of the error."""

    status: int
    error: str
    hint: str = ""
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


TOO_LARGE = Refused(413, f"the body has more than {LARGEST:,} bytes", "", "BodyError")

TOO_SLOW = Refused(408, "the body did not come in time", "", "BodyError")

_STATUSES: tuple[tuple[type[RouteKitError], int], ...] = (
    (UnknownName, 404),
    (DefinitionError, 400),
    (BodyError, 400),
    (Rejected, 403),
    (Throttled, 429),
    (Unavailable, 409),
    (StoreError, 503),
)


def refused(error: RouteKitError) -> Refused:
    """How an error is told."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    return Refused(status, discreet(error.message, error), masked(error.hint), type(error).__name__)


def refusal(refused: Refused) -> Response:
    """The answer itself, as JSON."""
    told = Refusal(error=refused.error, hint=refused.hint, kind=refused.kind)
    return Response(
        told.model_dump_json(),
        refused.status,
        {"cache-control": "no-store", **refused.headers},
        media_type="application/json",
    )
