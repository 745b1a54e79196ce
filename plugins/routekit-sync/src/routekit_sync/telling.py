"""Troubles: what a person should hear of, each told once; which were told is kept in the store."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from routekit import Runtime

from .hiding import reason_of
from .ledger import Ledger
from .pair import SyncPair
from .summary import Summary

Kind = Literal["conflict", "quarantine", "held", "parked"]


class Trouble(BaseModel):
    """Something in a pair that a person has to look at. It holds no values of records: `hint` shows them."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    pair: str
    id: str
    """Of the conflict, or of the link that is in quarantine."""
    record_a: str = ""
    record_b: str = ""
    unit: str = ""
    why: str
    hint: str
    """The command that shows more."""


class Troubles:
    """The open troubles of one pair."""

    def __init__(self, pair: SyncPair, ledgers: Sequence[Ledger], runtime: Runtime) -> None:
        """`ledgers` are those of the parts that are run here."""
        self._pair = pair
        self._ledgers = ledgers
        self._ledger = ledgers[0]
        self._marks = runtime.store.marks(f"sync-told:{pair.name}")
        self._looked = False
        self.conflicts = 0
        """Those that wait for a person."""
        self.codes: Sequence[str] = ()
        """Of each record in quarantine, the kind of error in one word."""

    @property
    def quarantined(self) -> int:
        """How many records are in quarantine."""
        return len(self.codes)

    async def new(self, summary: Summary) -> Sequence[Trouble]:
        """Those that have not been told yet; looked up after the first cycle, and after each that did anything."""
        if self._looked and not (summary.changed or summary.alerts):
            return []
        self._looked = True
        conflicts, quarantined = await self._conflicts(), await self._quarantined()
        self.conflicts, self.codes = len(conflicts), [code for code, _ in quarantined]
        there = [*conflicts, *(trouble for _, trouble in quarantined), *await self._held()]
        told = dict(await self._marks.items())
        for key in told.keys() - {_key(one) for one in there}:
            await self._marks.delete(key)  # it is over: if it comes again, that is news
        return [*(one for one in there if _key(one) not in told), *self._parked(summary)]

    async def told(self, trouble: Trouble, _: object = None) -> None:
        """Remember that a trouble was told."""
        if trouble.kind != "parked":
            await self._marks.put(_key(trouble), "told")  # and nothing of the record

    async def _conflicts(self) -> list[Trouble]:
        return [
            Trouble(
                kind="conflict",
                pair=self._pair.name,
                id=one.id,
                record_a=one.id_a,
                record_b=one.id_b,
                unit=one.unit,
                why=f"both sides have changed '{one.unit}': {one.why}",
                hint=f"routekit sync conflicts show {one.id}",
            )
            async for one in self._ledger.conflicts()
            if one.open
        ]

    async def _quarantined(self) -> list[tuple[str, Trouble]]:
        return [
            (
                one.code,
                Trouble(
                    kind="quarantine",
                    pair=self._pair.name,
                    id=one.link,
                    record_a=one.id_a,
                    record_b=one.id_b,
                    why=f"{one.code}: {await reason_of(one, self._ledger, self._pair)}",
                    hint=f"routekit sync quarantine show {one.link}",
                ),
            )
            async for one in self._ledger.quarantine()
        ]

    async def _held(self) -> list[Trouble]:
        found = [held for ledger in self._ledgers if (held := await ledger.held()) is not None]
        return [
            Trouble(
                kind="held",
                pair=self._pair.name,
                id=f"{held.since:.3f}",
                why=f"{held.count} deletions at once are more than the brake lets go",
                hint=f"routekit sync brake release {self._pair.name}",
            )
            for held in found
            if held.count > held.allowed
        ]

    def _parked(self, summary: Summary) -> list[Trouble]:
        if not summary.parked:
            return []
        why = "; ".join(summary.alerts) or f"{summary.parked} links were parked"
        hint = f"routekit sync unpark {self._pair.name}"
        return [Trouble(kind="parked", pair=self._pair.name, id=f"{summary.parked}", why=why, hint=hint)]


def _key(trouble: Trouble) -> str:
    return f"{trouble.kind}/{trouble.id}"
