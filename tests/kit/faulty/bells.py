"""Listeners with one thing done wrong each, and the tests that have to find it."""

from functools import partial
from math import inf
from typing import Any

import anyio
import anyio.lowlevel

from routekit import Deliver, Expired, Message, Runtime, Unavailable

from ..shelf import BellSource
from .finding import found_by


@found_by(
    "test_the_caller_waits_for_the_route",
    "test_the_caller_is_told_of_a_refusal",
    "test_the_caller_gets_the_reply",
    "test_the_caller_is_told_when_time_is_up",
    "test_a_call_that_is_cut_off_is_no_success",
)
class AnswersAtOnce(BellSource):
    """Who rings is told that all is well before anything has happened."""

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        async with anyio.create_task_group() as tasks:

            async def later(message: Message[Any]) -> None:
                tasks.start_soon(self._quietly, deliver, message)

            await super().listen(runtime, later)

    async def _quietly(self, deliver: Deliver, message: Message[Any]) -> None:
        try:
            await deliver(message)
        except Exception:
            return


@found_by("test_the_caller_is_told_of_a_refusal", "test_the_caller_is_told_when_time_is_up")
class SaysThatAllIsWell(BellSource):
    """A refusal is told as success."""

    async def answer(self, deliver: Deliver, message: Message[Any]) -> Message[Any] | None:
        try:
            return await deliver(message)
        except Exception:
            return message


@found_by("test_the_caller_gets_the_reply")
class AnswersWithTheQuestion(BellSource):
    """The reply of the route is not what the caller gets."""

    async def answer(self, deliver: Deliver, message: Message[Any]) -> Message[Any] | None:
        await deliver(message)
        return message


@found_by(
    "test_it_may_be_cancelled_at_every_await_of_its_start",
    "test_it_may_be_opened_and_closed_often",
    "test_it_goes_on_after_a_pause",
)
class KeepsItsPlace(BellSource):
    """It does not leave its place when it ends."""

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        await anyio.lowlevel.checkpoint()
        assert self.name not in self.world.bells, "somebody listens already"
        self.world.bells[self.name] = partial(self.answer, deliver)
        with runtime.resting():
            await anyio.sleep_forever()


@found_by("test_it_may_be_cancelled_at_every_await_of_its_start")
class HalfInPlace(BellSource):
    """Cancelled while it takes its place, it holds it."""

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        assert "coming" not in self.world.notes, "somebody is coming"
        self.world.notes["coming"] = True
        await anyio.lowlevel.checkpoint()
        del self.world.notes["coming"]
        await super().listen(runtime, deliver)


@found_by("test_a_caller_that_leaves_harms_nobody")
class EndsWithItsCaller(BellSource):
    """A caller that hangs up is an error of the source."""

    async def answer(self, deliver: Deliver, message: Message[Any]) -> Message[Any] | None:
        try:
            return await deliver(message)
        except anyio.get_cancelled_exc_class():
            self.world.notes["gone"].set()
            raise

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        gone = self.world.notes["gone"] = anyio.Event()

        async def watch() -> None:
            await gone.wait()
            raise ConnectionResetError("the caller has hung up")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await super().listen(runtime, deliver)


@found_by("test_calls_beyond_the_slots_wait", "test_one_slot_is_one_at_a_time")
class GivesUpForItsCallers(BellSource):
    """A call that has to wait is told that nobody has time."""

    async def answer(self, deliver: Deliver, message: Message[Any]) -> Message[Any] | None:
        with anyio.move_on_after(0.05) as scope:
            waiting = self.world.notes.setdefault("waiting", [])
            waiting.append(scope)
            if len(waiting) < 3:
                scope.deadline = inf
            return await deliver(message)
        raise Unavailable("nobody has time")


@found_by("test_the_caller_is_told_when_time_is_up")
class TakesTheEndForDone(BellSource):
    """When time is up, that is all that could be done."""

    async def answer(self, deliver: Deliver, message: Message[Any]) -> Message[Any] | None:
        try:
            return await deliver(message)
        except Expired:
            return message


@found_by("test_a_call_that_is_cut_off_is_no_success")
class AnswersInTheEnd(BellSource):
    """Whoever waits when it ends is told that all is well."""

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        async with anyio.create_task_group() as tasks:

            async def work(message: Message[Any], told: dict[str, Any], done: anyio.Event) -> None:
                try:
                    told["reply"] = await deliver(message)
                except Exception as error:
                    told["error"] = error
                finally:
                    done.set()

            async def inside(message: Message[Any]) -> Message[Any] | None:
                told: dict[str, Any] = {}
                done = anyio.Event()
                tasks.start_soon(work, message, told, done)
                await done.wait()
                if "error" in told:
                    raise told["error"]
                return told.get("reply")

            await super().listen(runtime, inside)
