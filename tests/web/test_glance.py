"""Glance: many who look at once cost the daemon what one costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import pytest

from routekit import StoreError
from routekit.operating.sights import RouteSight
from routekit.web.glance import Glance

from . import sample
from .memory_desk import MemoryDesk

pytestmark = pytest.mark.anyio


@dataclass
class SlowDesk(MemoryDesk):
    """It takes a tenth of a second to say how the routes are."""

    asked: int = 0
    away: bool = False

    async def routes(self) -> Sequence[RouteSight]:
        self.asked += 1
        await anyio.sleep(0.1)
        if self.away:
            raise StoreError("away")
        return await super().routes()


async def test_many_look_at_once() -> None:
    """A hundred who look at the same moment ask the desk once, and all see the same."""
    desk = SlowDesk(sample.desk().details, sample.NOW)
    glance, seen = Glance(desk), list[Sequence[RouteSight]]()

    async def look() -> None:
        seen.append(await glance.routes())

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(look)
    assert desk.asked == 1
    assert len(seen) == 100
    assert all(one is seen[0] for one in seen)


async def test_it_is_never_old() -> None:
    """What took a tenth of a second is looked at anew after three more, and at once when somebody changed something."""
    desk = SlowDesk(sample.desk().details, sample.NOW)
    glance = Glance(desk)
    await glance.routes()
    await anyio.sleep(0.25)
    await glance.routes()
    assert desk.asked == 1
    await anyio.sleep(0.1)
    await glance.routes()
    assert desk.asked == 2
    glance.forget()
    await glance.routes()
    assert desk.asked == 3


async def test_what_is_quick_is_not_kept() -> None:
    """A desk that answers at once is asked each time."""
    desk = sample.desk()
    glance = Glance(desk)
    assert (await glance.routes())[0].state == "running"
    desk.change("crm.contacts", state="paused")
    assert (await glance.routes())[0].state == "paused"


async def test_a_failure_is_not_kept() -> None:
    """After the store was away the next look asks again."""
    desk = SlowDesk(sample.desk().details, sample.NOW, away=True)
    glance = Glance(desk)
    with pytest.raises(StoreError):
        await glance.routes()
    desk.away = False
    assert await glance.routes()
