"""Places in a JSON document: `paging/next/after`, `@odata.nextLink`, `data/@links/next/0/uri`."""

from collections.abc import Mapping, Sequence
from typing import Any, cast


def found_at(document: Any, pointer: str) -> Any:
    """What stands at a place (RFC 6901, without the first slash), or None; an empty pointer is the whole document.

    >>> found_at({"data": {"next": [{"uri": "/x"}]}}, "data/next/0/uri"), found_at({"a": 1}, "b/c")
    ('/x', None)
    """
    for name in pointer.removeprefix("/").split("/") if pointer else ():
        name = name.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping):
            document = cast("Mapping[str, Any]", document).get(name)
        elif isinstance(document, Sequence) and not isinstance(document, str) and name.isdigit():
            rows = cast("Sequence[Any]", document)
            document = rows[int(name)] if int(name) < len(rows) else None
        else:
            return None
    return document


def flag_at(document: Any, pointer: str) -> bool:
    """Whether what stands at a place holds; with `!` before it, whether it does not.

    >>> flag_at({"has_more": True}, "has_more"), flag_at({"end_of_stream": True}, "!end_of_stream")
    (True, False)
    """
    holds = bool(found_at(document, pointer.removeprefix("!")))
    return not holds if pointer.startswith("!") else holds
