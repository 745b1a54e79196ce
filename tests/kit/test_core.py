"""The endpoints of the core keep the contracts of the kit."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from routekit import Flow, Message, Policy, from_
from routekit.endpoints.direct import DirectSink, DirectSource
from routekit.endpoints.queue import QueueSink, QueueSource
from routekit.testing import Inlet, Sink
from routekit.testing.conformance import BODIES, HEADERS, SinkContract, SourceContract

BODIES_OF_ANY_KIND = {**BODIES, "none": None, "text": "Grüße", "list": [1, {"a": None}], "zero": 0}
REFUSING = Policy(concurrency=100, dead_letter="refuse")


class Within:
    """What is within one process: bodies are whatever they are, and virtual time is enough."""

    in_virtual_time = True
    bodies = BODIES_OF_ANY_KIND
    headers: ClassVar[Mapping[str, Any]] = {**HEADERS, "kit.number": 1, "kit.none": None}

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        self.inlet, self.collected = Inlet(), Sink()
        yield


class TestQueueSource(Within, SourceContract):
    """A route beside it puts messages into the queue."""

    kind = QueueSource

    def source(self) -> str:
        return "queue:kit"

    def beside(self) -> Sequence[Flow[Any]]:
        return [from_(self.inlet, policy=REFUSING).to("queue:kit")]

    async def put(self, message: Message[Any]) -> None:
        await self.inlet.give(message)


class TestQueueSink(Within, SinkContract):
    """A route beside it takes messages out of the queue."""

    kind = QueueSink

    def sink(self) -> str:
        return "queue:kit"

    def beside(self) -> Sequence[Flow[Any]]:
        return [from_("queue:kit").to(self.collected)]

    async def delivered(self) -> Sequence[Any]:
        return self.collected.messages


class TestDirectSource(Within, SourceContract):
    """A route beside it calls it."""

    kind = DirectSource
    answers = True

    def source(self) -> str:
        return "direct:kit"

    def beside(self) -> Sequence[Flow[Any]]:
        return [from_(self.inlet, policy=REFUSING).enrich("direct:kit", answer=object)]

    async def put(self, message: Message[Any]) -> Message[Any] | None:
        return await self.inlet.give(message)


class TestDirectSink(Within, SinkContract):
    """A route beside it is called."""

    kind = DirectSink

    def sink(self) -> str:
        return "direct:kit"

    def beside(self) -> Sequence[Flow[Any]]:
        return [from_("direct:kit").to(self.collected)]

    async def delivered(self) -> Sequence[Any]:
        return self.collected.messages
