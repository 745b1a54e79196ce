"""Checksums: a small file beside a file that says what its content is, as `sha256sum` and its kin write and read it."""

import hashlib
from pathlib import Path
from typing import BinaryIO, Literal

from anyio import from_thread

from routekit import BodyError

from .found import Found
from .regular import opened

Algorithm = Literal["md5", "sha1", "sha256", "sha512"]

_BLOCK = 1 << 20
_MOST = 1 << 16
"""The bytes of a checksum file that are read: its first line is all that counts."""


def digest_of(file: BinaryIO, algorithm: str) -> str:
    """The checksum of the rest of a file, in hexadecimal digits. Raises OSError, and what cancels a worker thread."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while block := file.read(_BLOCK):
        digest.update(block)
        from_thread.check_cancelled()
    return digest.hexdigest()


def line_of(digest: str, name: str) -> bytes:
    r"""What is written into a checksum file.

    >>> line_of("ab12", "a.csv"), line_of("ab12", "a\nb")
    (b'ab12  a.csv\n', b'\\ab12  a\\nb\n')
    """
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n".encode("utf-8", "surrogateescape")


def mismatch(found: Found, algorithm: str) -> BodyError | None:
    """Why a file is not what its checksum file says, or None if it is. Blocks; raises OSError."""
    assert found.marker is not None, "a source with a checksum has markers"
    said = _said(found.marker)
    with opened(found.path) as file:
        is_ = digest_of(file, algorithm)
    if said == is_:
        return None
    told = f"says {said[:16]}..." if said else "has none"
    reason = f"{found.label} has the {algorithm} {is_[:16]}..., but {found.marker.name} {told}"
    return BodyError(reason, hint="it was changed or cut on its way: let it be sent again")


def _said(marker: Path) -> str:
    """The digest of a checksum file: its first word, without the mark of an escaped name."""
    with opened(marker) as file:
        words = file.read(_MOST).split()
    return words[0].decode("ascii", "replace").lstrip("\\").lower() if words else ""
