"""Assets: the files that pages load, read once, and named by what is in them so that browsers can keep them."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def assets() -> Mapping[str, tuple[bytes, str]]:
    """The content of each file, and its type."""
    return {
        file.name: (file.read_bytes(), _KINDS[file.suffix])
        for file in sorted(FOLDER.iterdir())
        if file.suffix in _KINDS
    }


@cache
def address(name: str) -> str:
    """Where a page finds an asset, whatever version of it the browser still has."""
    return f"/assets/{name}?v={sha256(assets()[name][0]).hexdigest()[:10]}"
