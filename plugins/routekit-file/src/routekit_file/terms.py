"""Terms: what stays the same for one run of a source, made from its options when the route starts."""

from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from routekit import Runtime

from .fate import Fate
from .reading import Reader
from .seen import Seen
from .selection import Selection
from .watching import Watch

Unsettled: TypeAlias = MutableMapping[tuple[str, str], Exception | None]
"""Files, by path and signature, that were handled but not moved or removed, with the error of those that failed."""


@dataclass(frozen=True)
class Terms:
    """`poll` and `stable` are in seconds; `many` says that a file is many messages; `seen` is for files that stay."""

    runtime: Runtime
    root: Path
    create: bool
    poll: float
    stable: float
    many: bool
    selection: Selection
    reader: Reader
    fate: Fate
    seen: Seen | None
    unsettled: Unsettled
    watch: Watch | None


@asynccontextmanager
async def unsettled_files(directory: str, route: str) -> AsyncGenerator[Unsettled]:
    """What survives the restart of a degraded route: its files are settled then, and not handled a second time."""
    yield {}
