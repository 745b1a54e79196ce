"""Looking at a broker: whether queue and exchange are there as they are wanted, without a message."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity

from .faults import told
from .line import Line, goodbye
from .topology import Topology, declare_exchange, declare_queue

T = TypeVar("T")


async def looked_at(line: Line, what: str, options: Topology, *, declare: bool) -> str:
    """What is there, in a few words; raises what declaring it would raise.

    With `declare` something that is missing is fine: it is made when the route starts, not here.
    """
    found: list[str] = []
    if options.exchange:
        found.append(await _exchange(line, what, options, declare))
    if options.queue:
        found.append(await _queue(line, what, options, declare))
    return ", ".join([f"RabbitMQ {line.version}", *found])


async def _exchange(line: Line, what: str, options: Topology, declare: bool) -> str:
    name = f"exchange {options.exchange}"
    if not await _there(line, what, lambda channel: channel.get_exchange(options.exchange, ensure=True), declare):
        return f"{name}: to be declared"
    if declare:
        await _asked(line, what, lambda channel: declare_exchange(channel, options))
    return name


async def _queue(line: Line, what: str, options: Topology, declare: bool) -> str:
    name = f"queue {options.queue}"
    found = await _there(line, what, lambda channel: channel.get_queue(options.queue, ensure=True), declare)
    if not found:
        return f"{name}: to be declared"
    if declare:
        await _asked(line, what, lambda channel: declare_queue(channel, options))
    counts = found.declaration_result
    return f"{name}: {counts.message_count or 0} waiting, consumers: {counts.consumer_count or 0}"


async def _there(line: Line, what: str, ask: Callable[[AbstractChannel], Awaitable[T]], declare: bool) -> T | None:
    """What is found, or None if it is missing and will be declared."""
    try:
        return await _asked(line, what, ask)
    except Exception as error:
        if declare and isinstance(error.__cause__, ChannelNotFoundEntity):
            return None
        raise


async def _asked(line: Line, what: str, ask: Callable[[AbstractChannel], Awaitable[T]]) -> T:
    """One question, on a channel of its own: the broker closes it when it says no."""
    channel = await line.channel(what, confirms=False)
    try:
        with told(what, line.place), anyio.fail_after(line.settings.timeout):
            return await ask(channel)
    finally:
        await goodbye(channel)
