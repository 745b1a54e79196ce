"""How a CSV file is laid out, as its reader and its writer need to know it."""

import csv
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The options of the CSV codec, resolved; `delimiter` may still be `auto`."""

    delimiter: str
    quote: str
    encoding: str
    columns: tuple[str, ...]
    header: bool
    pad: bool
    null: str | None
    limit: int

    def format(self, delimiter: str) -> dict[str, Any]:
        """The arguments for the functions of the standard library's csv module."""
        if not self.quote:
            return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE, "quotechar": None}
        return {"delimiter": delimiter, "quotechar": self.quote, "strict": True}
