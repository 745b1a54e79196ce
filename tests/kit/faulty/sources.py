"""Sources with one thing done wrong each, and the tests that have to find it."""

import logging
from collections.abc import AsyncGenerator, Callable
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel
from pydantic import Field

from routekit import BodyError, Capabilities, Delivery, Message, Runtime

from ..shelf import LIMIT, POISON, TOKEN, ShelfSource
from .finding import found_by

_numbers = count()


@found_by(
    "test_it_is_not_acknowledged_before_the_route_is_done",
    "test_the_unfinished_one_comes_again_though_later_ones_are_done",
    "test_a_refused_one_is_kept_or_comes_again",
)
class AcknowledgesAtOnce(ShelfSource):
    """It is gone from the shelf when it is delivered."""

    def delivery(self, message: Message[Any], taken: set[str]) -> Delivery[Any]:
        self.world.waiting.pop(message.id)
        return super().delivery(message, taken)


@found_by("test_it_may_be_cancelled_at_every_await")
class LosesWhatIsCancelled(ShelfSource):
    """It takes a message off the shelf, waits, and puts it back: who is cancelled in between has lost it."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        taken: set[str] = set()
        with runtime.metered(self, self.figures()):
            while True:
                await self.ask()
                message = self.pick(taken)
                if message is None:
                    await self.rest(runtime)
                    continue
                taken.add(message.id)
                del self.world.waiting[message.id]
                await anyio.lowlevel.checkpoint()
                self.world.waiting = {message.id: message, **self.world.waiting}
                yield self.delivery(message, taken)


@found_by("test_the_unfinished_one_comes_again_though_later_ones_are_done")
class AcknowledgesAllBefore(ShelfSource):
    """As a log with one position: acknowledging a message acknowledges those before it."""

    async def ack(self, message: Message[Any], reply: Message[Any] | None) -> None:
        await self.ask()
        while message.id in self.world.waiting:
            del self.world.waiting[next(iter(self.world.waiting))]


@found_by(
    "test_what_is_done_does_not_come_again",
    "test_it_is_not_acknowledged_before_the_route_is_done",
    "test_a_dead_letter_is_acknowledged",
    "test_what_is_at_work_at_a_stop_is_finished",
    "test_it_goes_on_after_a_pause",
    "test_the_server_may_restart_in_between",
    "test_the_server_may_restart_while_a_message_is_at_work",
)
class NeverAcknowledges(ShelfSource):
    """What is done stays on the shelf."""

    async def ack(self, message: Message[Any], reply: Message[Any] | None) -> None:
        await self.ask()


@found_by("test_a_refused_one_is_kept_or_comes_again")
class ForgetsTheRefused(ShelfSource):
    """A refused message never comes again in this life."""

    async def nack(self, message: Message[Any], taken: set[str], error: Exception) -> None:
        await self.ask()


@found_by("test_a_refused_one_is_kept_or_comes_again")
class SaysThatItTakesBack(ShelfSource):
    """It says that it keeps refused messages, and brings them again."""

    def takes_back(self) -> bool:
        return True


@found_by(
    "test_it_is_not_acknowledged_before_the_route_is_done",
    "test_a_refused_one_is_kept_or_comes_again",
)
class NewIds(ShelfSource):
    """A message that comes again has another id."""

    def read(self, message: Message[Any]) -> Message[Any]:
        return Message(message.body, message.headers, f"new-{next(_numbers)}")


@found_by("test_each_has_an_id_of_its_own")
class OneId(ShelfSource):
    """All messages have the same id."""

    def read(self, message: Message[Any]) -> Message[Any]:
        return Message(message.body, message.headers, "message")


@found_by(
    "test_many_arrive_once_each",
)
class BringsTwice(ShelfSource):
    """Where there is much to do, something is brought twice."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        async for delivery in super().consume(runtime):
            yield delivery
            if len(self.world.waiting) > 35:
                yield delivery


@found_by("test_they_arrive_in_order")
class Backwards(ShelfSource):
    """It promises an order, and takes the newest first."""

    def pick(self, taken: set[str]) -> Message[Any] | None:
        return next((message for key, message in reversed(self.world.waiting.items()) if key not in taken), None)


@found_by(
    "test_a_body_arrives_as_it_was[asyncio-unicode]",
    "test_a_body_arrives_as_it_was[asyncio-binary]",
)
class OnlyAscii(ShelfSource):
    """Letters that it does not know become question marks."""

    def read(self, message: Message[Any]) -> Message[Any]:
        return message.with_body(message.body.decode("ascii", "replace").encode("ascii", "replace"))


@found_by("test_a_body_arrives_as_it_was[asyncio-empty]")
class NotEmpty(ShelfSource):
    """An empty body is nothing to it."""

    def pick(self, taken: set[str]) -> Message[Any] | None:
        return next((one for key, one in self.world.waiting.items() if key not in taken and one.body), None)


@found_by("test_a_large_body_arrives")
class CutsOff(ShelfSource):
    """It reads one buffer."""

    def read(self, message: Message[Any]) -> Message[Any]:
        return message.with_body(message.body[:65536])


@found_by("test_headers_arrive_as_they_were")
class NoHeaders(ShelfSource):
    """Headers stay behind."""

    def read(self, message: Message[Any]) -> Message[Any]:
        return message.with_headers({})


@found_by("test_what_is_no_message_harms_nobody")
class DiesOfPoison(ShelfSource):
    """What is no message ends the source, each time."""

    def delivery(self, message: Message[Any], taken: set[str]) -> Delivery[Any]:
        if message.body == POISON:
            raise ValueError("this is no message")
        return super().delivery(message, taken)


@found_by("test_what_is_no_message_harms_nobody")
class SwallowsPoison(ShelfSource):
    """What is no message is left out, and nobody hears of it."""

    def pick(self, taken: set[str]) -> Message[Any] | None:
        found = super().pick(taken)
        if found is None or found.body != POISON:
            return found
        del self.world.waiting[found.id]
        return self.pick(taken)


@found_by("test_it_rests_when_there_is_nothing")
class NeverRests(ShelfSource):
    """It waits, and does not tell the engine that it has nothing."""

    async def rest(self, runtime: Runtime) -> None:
        await self.world.change()


@found_by("test_the_clock_may_be_set")
class WaitsByTheWallClock(ShelfSource):
    """It looks again when the wall clock says so; a clock that is set back holds it up for a year."""

    async def rest(self, runtime: Runtime) -> None:
        due = runtime.now() + 0.01
        while runtime.now() < due:
            await runtime.rest(0.01)


@found_by(
    "test_it_may_be_opened_and_closed_often",
    "test_it_goes_on_after_a_pause",
    "test_it_is_not_acknowledged_before_the_route_is_done",
    "test_the_unfinished_one_comes_again_though_later_ones_are_done",
    "test_it_may_be_cancelled_at_every_await",
    "test_what_is_done_does_not_come_again",
    "test_a_dead_letter_is_acknowledged",
    "test_what_is_at_work_at_a_stop_is_finished",
    "test_the_server_may_restart_in_between",
    "test_the_server_may_restart_while_a_message_is_at_work",
    "test_the_server_may_start_later",
)
class OpensOnce(ShelfSource):
    """It holds what it never lets go of."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        assert "opened" not in self.world.notes, "it is open already"
        self.world.notes["opened"] = True
        async for delivery in super().consume(runtime):
            yield delivery


@found_by(
    "test_the_server_may_start_later",
    "test_the_server_may_restart_in_between",
    "test_a_wrong_secret_is_not_told",
)
class GivesUpOnItsServer(ShelfSource):
    """It ends, as if there were nothing more, when the server is away."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        try:
            async for delivery in super().consume(runtime):
                yield delivery
        except Exception:
            logging.getLogger(__name__).debug("that is all")


@found_by(
    "test_the_server_may_restart_in_between",
)
class NeverAsksAgain(ShelfSource):
    """It asks its server once, and does not notice that it is away; then it waits for what never comes."""

    async def rest(self, runtime: Runtime) -> None:
        with runtime.resting():
            await self.world.change()
            if not self.world.up:
                await anyio.sleep_forever()


@found_by(
    "test_a_secret_is_not_told",
    "test_a_wrong_secret_is_not_told",
    "test_a_probe_of_what_is_away_raises",
    "test_a_probe_with_a_wrong_secret_raises",
)
class TellsItsToken(ShelfSource):
    """In a line of the log that nobody is meant to read."""

    async def ask(self) -> None:
        logging.getLogger(__name__).debug("asking with %s", self.token.get_secret_value())
        await super().ask()


@found_by(
    "test_a_secret_is_not_told",
    "test_a_wrong_secret_is_not_told",
    "test_a_probe_of_what_is_away_raises",
    "test_a_probe_with_a_wrong_secret_raises",
)
class TellsItsTokenWhenItFails(ShelfSource):
    """In the text of an error."""

    async def ask(self) -> None:
        try:
            await super().ask()
        except Exception as error:
            raise ConnectionError(f"cannot connect to shelf://me:{self.token.get_secret_value()}@kit") from error


@found_by("test_a_secret_is_not_printed")
class PrintsItsToken(ShelfSource):
    """In its repr."""

    def __repr__(self) -> str:
        return f"Shelf({self.name}, {self.token.get_secret_value()})"


@found_by("test_secret_options_are_declared")
class OpenToken(ShelfSource):
    """An option with a secret that is a plain text."""

    api_key: str = Field(default="", description="what opens the other shelf")


@found_by("test_it_says_what_it_is")
class SaysNothing(ShelfSource):
    """An option without a word about it."""

    batch: int = 10


@found_by("test_it_promises_what_is_tried")
class PromisesMore(ShelfSource):
    """With its options it promises what nobody tries."""

    def promises(self) -> Capabilities:
        return Capabilities(replayable=True, ordered=True, volatile=True, largest=LIMIT)


@found_by(
    "test_it_is_not_acknowledged_before_the_route_is_done",
    "test_the_unfinished_one_comes_again_though_later_ones_are_done",
    "test_it_may_be_cancelled_at_every_await",
)
class PromisesTooMuch(ShelfSource):
    """It is memory, and promises that what was unfinished comes again."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        try:
            async for delivery in super().consume(runtime):
                yield delivery
        finally:
            self.world.waiting.clear()


@found_by("test_one_slot_is_one_at_a_time")
class DropsWhatHasToWait(ShelfSource):
    """What waits while another is at work is too old when it comes to it."""

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        late = False
        async for delivery in super().consume(runtime):
            if late and len(self.world.waiting) > 5:
                self.world.waiting.pop(delivery.message.id)
                continue
            begun = anyio.current_time()
            yield delivery
            late = anyio.current_time() - begun > 0.05


@found_by("test_it_may_be_closed_twice")
class ClosesOnce(ShelfSource):
    """Who closes it twice is told that it is closed."""

    def consume(self, runtime: Runtime) -> Any:
        return _Once(super().consume(runtime))


class _Once:
    def __init__(self, deliveries: AsyncGenerator[Any]) -> None:
        self._deliveries = deliveries
        self._closed = False

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Any:
        return anext(self._deliveries)

    async def aclose(self) -> None:
        if self._closed:
            raise RuntimeError("it is closed already")
        self._closed = True
        await self._deliveries.aclose()


@found_by("test_what_is_too_large_harms_nobody")
class CutsOffWhatIsTooLarge(ShelfSource):
    """Of what is too large there comes as much as there is room for."""

    def wrong(self, message: Message[Any]) -> BodyError | None:
        return super().wrong(self.read(message))

    def read(self, message: Message[Any]) -> Message[Any]:
        return message.with_body(message.body[:LIMIT])


@found_by("test_what_is_too_large_harms_nobody")
class SwallowsWhatIsTooLarge(ShelfSource):
    """What is too large is left out, and nobody hears of it."""

    def pick(self, taken: set[str]) -> Message[Any] | None:
        for key in [key for key, message in self.world.waiting.items() if len(message.body) > LIMIT]:
            del self.world.waiting[key]
        return super().pick(taken)


@found_by("test_a_probe_says_what_is_there")
class ProbesInSilence(ShelfSource):
    """It looks, and says nothing."""

    async def probe(self, runtime: Runtime) -> str:
        await super().probe(runtime)
        return " "


@found_by("test_a_probe_changes_nothing")
class ProbesByTaking(ShelfSource):
    """It takes a message to see whether one comes."""

    async def probe(self, runtime: Runtime) -> str:
        found = await super().probe(runtime)
        for key in list(self.world.waiting)[:1]:
            del self.world.waiting[key]
        return found


@found_by("test_a_probe_of_what_is_away_raises", "test_a_probe_with_a_wrong_secret_raises")
class ProbesNothing(ShelfSource):
    """It says that all is well, without a look."""

    async def probe(self, runtime: Runtime) -> str:
        return "all is well"


@found_by("test_a_probe_with_a_wrong_secret_raises")
class ProbesThePortOnly(ShelfSource):
    """It looks whether somebody is there, and not whether it may come in."""

    async def probe(self, runtime: Runtime) -> str:
        await self.world.answer(TOKEN)
        return "somebody is there"


@found_by("test_figures_are_named_and_documented")
class CountsBackwards(ShelfSource):
    """A counter falls."""

    def figures(self) -> dict[str, Callable[[], float]]:
        return {**super().figures(), "taken_total": lambda: -self.world.passed}
