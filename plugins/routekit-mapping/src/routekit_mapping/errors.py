"""What goes wrong in a mapping: a declaration that does not fit, and a record that cannot be mapped.

DefinitionError (of routekit)
BadMapping      found where the mapping is declared
Rejected (of routekit)
MappingError    found in one record; its `problems` name every field
"""

from collections.abc import Sequence
from dataclasses import dataclass

from routekit import DefinitionError, Rejected


class BadMapping(DefinitionError):
    """A mapping that cannot be: a field there is not, two types that do not fit, a rule that is missing something."""


class Unconvertible(ValueError):
    """What a converter raises for a value that it has no answer to; the text says why, and never what the value was."""


class Unresolved(Unconvertible):
    """A reference whose other side is not known yet: it may be later."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one field could not be mapped."""

    field: str
    """Of the side that was to be written."""
    sources: tuple[str, ...]
    """The fields that it was to be made of."""
    rule: str
    value: str
    """What the sources hold, by its class alone: `str of 5`, `int`, `null`. `explain` shows the values."""
    why: str
    waits: bool = False
    """Whether it may do later: a reference is not known yet."""

    def __str__(self) -> str:
        return (
            f"{self.field} (rule '{self.rule}', from {', '.join(self.sources) or 'nothing'} = {self.value}): {self.why}"
        )


class MappingError(Rejected, ValueError):
    """A record that could not be mapped; `problems` has every field that is to blame, each with the reason."""

    def __init__(self, mapping: str, problems: Sequence[Problem]) -> None:
        self.mapping = mapping
        self.problems = tuple(problems)
        super().__init__(f"mapping '{mapping}': " + "; ".join(map(str, self.problems)))

    @property
    def waits(self) -> bool:
        """Whether all that is missing may come later: the other sides of references."""
        return all(problem.waits for problem in self.problems)
