"""One thing that is wrong with what was written: what `routekit check` lists."""

from dataclasses import asdict, dataclass
from traceback import extract_tb
from typing import Any

from .errors import RouteKitError
from .place import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """Where it is, what is wrong, and what to do; `route` is empty for a module that could not be read."""

    place: Place
    route: str
    message: str
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """The problem as plain data."""
        return {**asdict(self), "place": str(self.place)}


def problem_of(error: BaseException, place: Place, route: str) -> Problem:
    """A problem from an error, with its hint if it has one."""
    if isinstance(error, RouteKitError):
        return Problem(place, route, error.message, error.hint)
    said = error.msg if isinstance(error, SyntaxError) else error  # its text repeats file and line
    return Problem(place, route, f"{type(error).__name__}: {said}")


def raised_in(error: BaseException, folder: str, default: Place) -> Place:
    """The last line of the author's files under `folder` that an error came through."""
    if isinstance(error, SyntaxError) and error.filename:
        return Place(error.filename, error.lineno or 0)
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename.startswith(folder)]
    return Place(frames[-1].filename, frames[-1].lineno or 0) if frames else default
