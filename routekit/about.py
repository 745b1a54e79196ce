"""About: what an endpoint or codec says of itself that its fields and docstrings cannot say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel


@dataclass(frozen=True, kw_only=True)
class About:
    """For `routekit describe` and the pages of the reference; the engine reads none of it.

    Each mapping leads from a name to its meaning in a few words, with the unit. An empty one says that there is nothing
    of the kind.
    """

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers that a source gives to its messages, or a sink to its answers."""

    reads: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers of a message that a sink looks at."""

    raises: Mapping[type[Exception], str] = field(default_factory=dict[type[Exception], str])
    """Errors, and when they are raised: by `send` at a message, by a source as the reason why its route is degraded."""

    figures: Mapping[str, str] = field(default_factory=dict[str, str])
    """The figures that it gives to `runtime.metered`."""

    settings: Mapping[str, type[BaseModel]] = field(default_factory=dict[str, type[BaseModel]])
    """The tables of `routekit.toml` that it reads, `sql.NAME`, each with the model that checks it."""

    example: str = ""
    """Routes that use it, as Python that can be run without anything from outside; `check` must find nothing wrong."""
