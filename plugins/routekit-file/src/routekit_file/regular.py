"""Regular: opening a file that was found, and nothing that has come into its place."""

import os
from pathlib import Path
from typing import BinaryIO

FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""No link is followed, and nobody waits for the other end of a pipe."""


def opened(path: Path) -> BinaryIO:
    """The file, to be read; raises OSError."""
    return os.fdopen(os.open(path, os.O_RDONLY | FLAGS), "rb")
