"""What was found out about one thing."""

from typing import Literal

from pydantic import Field

from ..sights import Sight

Verdict = Literal["ok", "warn", "fail"]


class Finding(Sight):
    """One thing that was looked at: `fail` keeps routes from running, `warn` may do so one day."""

    verdict: Verdict
    what: str
    found: str
    hint: str = Field(default="", description="what to do about it; empty where nothing is to be done")


def ok(what: str, found: str) -> Finding:
    """All is well."""
    return Finding(verdict="ok", what=what, found=found)


def warn(what: str, found: str, hint: str) -> Finding:
    """It works, and may not for ever."""
    return Finding(verdict="warn", what=what, found=found, hint=hint)


def fail(what: str, found: str, hint: str) -> Finding:
    """Something will not work."""
    return Finding(verdict="fail", what=what, found=found, hint=hint)
