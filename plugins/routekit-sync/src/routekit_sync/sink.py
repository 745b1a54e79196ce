"""`sync:` as a sink: somebody says that a record has changed, or wants a cycle to be run now."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar, Literal, cast

import anyio
from pydantic import BeforeValidator, Field, InstanceOf

from routekit import (
    PER_MESSAGE,
    About,
    BodyError,
    Capabilities,
    Message,
    Producer,
    Runtime,
    Send,
    Unavailable,
)

from .engine import Engine, Hint
from .naming import pair_of
from .noticing import hints_of, room_of
from .pair import SyncPair
from .parts import added, opened_parts
from .summary import Summary
from .units import Side


class SyncSink(Producer):
    """Tells a pair that a record has changed, as a webhook does, so that it is looked at before the next cycle is due.

    The body is `{"side": "a", "id": "42"}`, or the options say which record it is: `id=lambda event: event["id"]`. A
    hint is kept in the store when the message is done; the source of the pair looks at it at once, or, in another
    process, with its next cycle. Hints may be lost, repeated or wrong: they only say where to look first.
    """

    scheme = "sync"
    capabilities = Capabilities(idempotent=True)
    about: ClassVar[About] = About(
        headers={"sync.pair": "the name of the pair, with the answer of `record` and `cycle`"},
        raises={
            BodyError: "the body does not say which record it is",
            Unavailable: "a side is away, or another process works at the pair; not with `hint`",
        },
        example="""
            from pathlib import Path

            from routekit import from_
            from routekit_sync import FolderRemote, SyncPair, SyncSink, SyncSource, Unit

            name = Unit("name", ["name"], ["title"], lambda a: {"title": a["name"]}, lambda b: {"name": b["title"]})
            people = SyncPair("people", FolderRemote("crm", Path("crm")), FolderRemote("erp", Path("erp")), [name])

            kept = from_(SyncSource(pair=people, every=30.0)).log("{body.pair}: {body.writes} writes")
            told = from_("direct:changed", dict).to(SyncSink(pair=people, side="a"), id=lambda event: event["id"])
        """,
    )
    pair: Annotated[InstanceOf[SyncPair], BeforeValidator(pair_of)] = Field(
        description="the pair: `module:variable`, or as a typed endpoint the pair itself"
    )
    side: Annotated[Literal["a", "b"] | None, PER_MESSAGE] = Field(
        default=None, description="the side whose record it is, else the body's `side`"
    )
    id: Annotated[str | None, PER_MESSAGE] = Field(default=None, description="the record's id, else the body's `id`")
    mode: Literal["hint", "record", "cycle"] = Field(
        default="hint",
        description="`hint`: the next cycle looks at the record; `record`: it is looked at now, and the answer is the "
        "Summary of that; `cycle`: a whole cycle is run now, whatever the body is",
    )

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """Hints need nothing of the sides; the other modes open both."""
        room, hints = await room_of(self.pair.name, runtime), hints_of(self.pair, runtime)

        async def hint(message: Message[Any], side: Side | None = None, id: str | None = None) -> None:
            await hints.add(*self._record(message, side, id))
            room.ring()

        if self.mode == "hint":
            yield hint
            return
        async with opened_parts(self.pair, runtime) as engines:

            async def cycle(message: Message[Any], side: Side | None = None, id: str | None = None) -> Message[Summary]:
                record = self._record(message, side, id) if self.mode == "record" else None
                async with room.lock:
                    summaries = [await _looked(engine, record) for engine in engines]
                for summary in summaries:
                    if not summary.complete:
                        raise Unavailable(f"{self.pair.name}: {summary.note or 'the cycle did not come to its end'}")
                return Message(added(summaries), {"sync.pair": self.pair.name})

            yield cycle

    def _record(self, message: Message[Any], side: Side | None, id: str | None) -> tuple[Side, str]:
        """Which record it is about; raises BodyError."""
        body: Any = message.body
        given: Mapping[str, Any] = cast("Mapping[str, Any]", body) if isinstance(body, Mapping) else {}
        which = side or self.side or given.get("side")
        own = id or self.id or given.get("id")
        if which not in ("a", "b"):
            raise BodyError("the body does not say of which side the record is", hint='give side="a" or side="b"')
        if own is None or own == "" or isinstance(own, Mapping | list):
            raise BodyError("the body does not say which record it is", hint='give id=lambda event: event["id"]')
        return ("a" if which == "a" else "b"), str(own)


async def _looked(engine: Engine, record: tuple[Side, str] | None) -> Summary:
    """A cycle of one record, if that is linked already, or else a whole one; the pair is given back after it."""
    try:
        if record is None:
            return await engine.cycle()
        side, own = record
        known = (await engine.ledger.linked(side, [own])).get(own)
        if known is None:
            return await engine.cycle(hints=[Hint(side, own)])
        return await engine.cycle(only=[known.link.id])
    finally:
        with anyio.CancelScope(shield=True):
            await engine.ledger.release()
