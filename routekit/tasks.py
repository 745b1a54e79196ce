"""A task group that raises what happened, not a group of one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup


@asynccontextmanager
async def together() -> AsyncGenerator[TaskGroup]:
    """Run tasks together; the first failure is raised itself, with the whole group as its cause.

    An ExceptionGroup would hide a ValueError from `rescue={ValueError: ...}`.
    """
    try:
        async with anyio.create_task_group() as group:
            yield group
    except ExceptionGroup as failures:
        first = first_of(failures)
        if len(failures.exceptions) == 1:
            raise first from first.__cause__
        raise first from failures


def first_of(group: ExceptionGroup[Exception]) -> Exception:
    """The first plain error inside a group, however deep."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, ExceptionGroup) else first  # pyright: ignore[reportUnknownArgumentType]  # groups of groups


async def either(*events: anyio.Event) -> None:
    """Wait until one of the events is set."""
    async with anyio.create_task_group() as waiting:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            waiting.cancel_scope.cancel()

        for event in events:
            waiting.start_soon(wait, event)
