"""Errors as callers see them: `application/problem+json` (RFC 9457), and never what is inside."""

import json
from http import HTTPStatus
from math import ceil
from typing import Any

from starlette.responses import Response

from routekit import BodyError, Expired, Invalid, Rejected, Throttled, Unavailable

RETRY_AFTER = 5
"""Seconds that a caller is asked to wait when nobody knows better."""


class Refusal(Exception):
    """A request is answered with a problem, before or instead of a route."""

    def __init__(self, status: int, detail: str = "", **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problem(status: int, detail: str = "", headers: dict[str, str] | None = None, **more: Any) -> Response:
    """A problem as a response."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    body |= {name: value for name, value in more.items() if value}
    return Response(json.dumps(body, ensure_ascii=False), status, headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Response:
    """What a caller is told of an error: its own mistakes in full, that it may come again, or only that it failed."""
    if isinstance(error, Refusal):
        return problem(error.status, error.detail, error.headers)
    if isinstance(error, BodyError):
        malformed = error.reason.lower().startswith("invalid json")
        fields = [{"field": field, "reason": reason} for field, reason in error.faults if field]
        return problem(400 if malformed else 422, error.reason, errors=fields)
    if isinstance(error, Invalid):
        return problem(422, "; ".join(error.reasons), errors=[{"reason": reason} for reason in error.reasons])
    if isinstance(error, Expired):
        return problem(504)
    if isinstance(error, Throttled):
        return problem(429, headers=_later(error))
    if isinstance(error, Unavailable):
        return problem(503, headers=_later(error))
    return problem(422 if isinstance(error, Rejected) else 500)


def _later(error: Exception) -> dict[str, str]:
    wait = getattr(error, "retry_after", None)
    return {"retry-after": str(ceil(wait) if isinstance(wait, int | float) else RETRY_AFTER)}
