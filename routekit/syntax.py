"""The syntax tree of a module's text, for whoever asks, from whatever thread."""

import ast
from threading import Lock

_ONE_PARSES = Lock()
"""Python 3.11 keeps the depth of what it parses for all threads together, and is confused by two at once."""


def tree_of(text: str | bytes) -> ast.Module:
    """The tree of a text; raises SyntaxError and ValueError, as `ast.parse` does."""
    with _ONE_PARSES:
        return ast.parse(text)
