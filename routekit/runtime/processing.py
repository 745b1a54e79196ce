"""Processing one message: checked, handled, tried again, given up. Returning is done, raising is refusing."""

from itertools import count
from math import inf
from typing import Any
from uuid import UUID

import anyio

from ..discretion import concerns, said
from ..errors import BodyError, Expired, Unavailable
from ..events import Counts, Refused
from ..fitting import Fit
from ..isolation import apart, isolated, unchanging
from ..message import Message, Meta
from ..retrying import attempts_of, counted, retrying
from ..route import Policy, Route
from ..step import Handler
from .binding import GiveUp, RouteRuntime
from .failure import failure_of
from .hooks import Hooks
from .observation import UNDONE
from .rescuer import Rescuer


class Processing:
    """One route's way with messages; everything per message happens here."""

    def __init__(
        self,
        route: Route,
        policy: Policy,
        fit: Fit | None,
        handler: Handler[Any],
        give_up: GiveUp | None,
        runtime: RouteRuntime,
        counts: Counts,
        entry: int = 0,
        rescuer: Rescuer | None = None,
    ) -> None:
        self.counts = counts
        self._entry = entry
        self._route = route.name
        self._source = str(route.source)
        self._retries = policy.retries
        self._patience = policy.deadline
        self._fit = fit
        self.kind = route.body
        self._copies = not unchanging(route.body)
        self._handler = handler
        self._give_up = give_up
        self._runtime = runtime
        self._rescuer = rescuer
        self._hooks = Hooks(policy, runtime)
        self._try = self._watched if self._hooks.watches else self._once
        self._remembers = bool(policy.history)
        self._watch = runtime.watch
        self._now = runtime.now
        self._prefix = f"{UUID(int=runtime.random.getrandbits(128)).hex[:12]}-"
        self._numbers = count(1)

    async def process(self, message: Message[Any], error: Exception | None = None) -> Message[Any] | None:
        """The reply, or None if the message ended early or became a dead letter; raises if it is refused.

        An `error` is what the source already knows to be wrong with the message.
        """
        counts = self.counts
        if self._entry:
            counts.brought += 1
        else:
            counts.received += 1
        deadline = None if self._patience is None else anyio.current_time() + self._patience
        meta = Meta(self._route, self._source, self._now(), 1, deadline)
        if self._remembers:
            meta = meta.changed(history=[])
        taken = Message(message.body, message.headers, message.id or f"{self._prefix}{next(self._numbers)}", meta)
        watch = leaving = self._watch
        if watch is not None:
            watch.until -= 1
            if watch.until <= 0:
                taken = watch.begin(taken, message.meta.trace)
            elif not watch.counts:
                leaving = None
            if watch.counts:
                watch.tally.flying[taken.meta] = None
        reply = UNDONE
        try:
            if error is not None:
                await self._hooks.failed(error, taken)
                raise error  # noqa: TRY301 - it goes the way of every other failure
            reply = await (self._try(taken) if deadline is None else self._in_time(taken))
            if reply is None:
                counts.ended += 1
            else:
                counts.done += 1
        except Exception as failure:
            reply = await self._failed(taken, failure, again=error is None and deadline is None)
        finally:
            if leaving is not None:
                leaving.leave(taken, reply)
        return reply

    def fitted(self, body: Any) -> Any:
        """A body as the route's type; raises BodyError."""
        return body if self._fit is None else self._fit(body)

    async def _once(self, message: Message[Any]) -> Message[Any] | None:
        """One try, with a body that nothing else can change."""
        if self._fit is not None and type(message.body) is not self.kind:
            try:
                body = self._fit(isolated(message.body) if self._copies else message.body)
            except BodyError as error:
                row = message.headers.get("row", error.row)
                reason, cause = error.reason, error.__cause__
                raise BodyError(reason, row=row, column=error.column, hint=error.hint, faults=error.faults) from cause
            return await self._handler(message.with_body(body))
        return await self._handler(apart(message) if self._copies else message)

    async def _watched(self, message: Message[Any]) -> Message[Any] | None:
        """One try, of which the hook is told if it fails."""
        try:
            return await self._once(message)
        except Exception as error:
            await self._hooks.failed(error, self._original(message))
            raise

    def _original(self, message: Message[Any]) -> Message[Any]:
        """The message as the first step got it; as it came, if that cannot be."""
        try:
            return message.with_body(self.fitted(isolated(message.body)))
        except Exception:  # of whatever kind: the failure that is being dealt with must not be lost over it
            return message

    async def _in_time(self, message: Message[Any]) -> Message[Any] | None:
        """As many tries as the policy has, within its deadline."""
        tried = [1]
        with anyio.CancelScope(deadline=inf if message.meta.deadline is None else message.meta.deadline):
            try:
                return await self._try(message)
            except Exception as error:
                return await self._again(message, error, tried)
        expired = counted(Expired(f"not done within {self._patience} s, its deadline"), tried[0])
        if self._hooks.watches:
            await self._hooks.failed(expired, self._original(_numbered(message, tried[0])))
        raise expired

    async def _again(self, message: Message[Any], failed: Exception, tried: list[int]) -> Message[Any] | None:
        """The tries after the first, which `failed`; raises the last error when the policy has no more of them."""

        async def attempt(number: int) -> Message[Any] | None:
            self.counts.retried += 1
            tried[0] = number
            return await self._try(_numbered(message, number))

        concerns(failed, message, self.kind, self._runtime.private)
        return await retrying(failed, attempt, self._retries, self._runtime, message)

    async def _failed(self, message: Message[Any], error: Exception, *, again: bool) -> Message[Any] | None:
        """The reply if another try or a rescue succeeds; else the message is given up, or refused by raising."""
        if again and self._retries:
            try:
                reply = await self._again(message, error, [1])
            except Exception as last:
                error = last
            else:
                return self._counted(reply)
        attempts = attempts_of(error)
        concerns(error, message, self.kind, self._runtime.private)
        if self._rescuer is not None:
            original = self._original(_numbered(message, attempts))
            clause = await self._rescuer.clause(error, original, at_step=False)
            if clause is not None:
                try:
                    return self._counted(await self._rescuer.run(clause, error, original))
                except Exception as worse:
                    error = worse
                    concerns(error, message, self.kind, self._runtime.private)
        if self._give_up is None:
            self._refuse(message, error)
            raise error
        try:
            await self._give_up(_numbered(message, attempts), error, None, self._entry)
        except Exception as worse:
            self._refuse(message, error)
            raise Unavailable(f"the dead letter of message {message.id} could not be kept: {said(worse)}") from error
        if self._watch is not None:
            self._watch.failed(message, "dead", error)
        return None

    def _counted(self, reply: Message[Any] | None) -> Message[Any] | None:
        self.counts.ended += reply is None
        self.counts.done += reply is not None
        return reply

    def _refuse(self, message: Message[Any], error: Exception) -> None:
        self.counts.refused += 1
        if self._watch is not None:
            self._watch.failed(message, "refused", error)
        failure = failure_of(error)
        self._runtime.emit(Refused(self._route, message.id, failure.step if failure else "source", error))


def _numbered(message: Message[Any], number: int) -> Message[Any]:
    return message.with_meta(message.meta.changed(attempt=number))
