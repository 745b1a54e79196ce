"""Shrinking: of a schedule that shows something wrong, the smallest part that still does.

Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) over faults, and then
over messages; places of faults do not move when others are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from .schedule import Schedule

T = TypeVar("T")

MOST = 200
"""Runs that shrinking may take."""


class Shrinker:
    """Makes schedules smaller for as long as `fails` holds; counts its runs."""

    def __init__(self, fails: Callable[[Schedule], bool], most: int = MOST) -> None:
        self._fails = fails
        self._most = most
        self.runs = 0

    def shrunk(self, schedule: Schedule, inputs: Sequence[str]) -> Schedule:
        """The smallest schedule that was found; `inputs` are the ids of all messages that it has."""
        if schedule.shuffled:
            schedule = self._better(schedule, replace(schedule, shuffled=False))
        before = None
        while before != schedule and self.runs < self._most:
            before = schedule
            faults = self._fewer(schedule.faults, lambda some, now=schedule: replace(now, faults=tuple(some)))
            schedule = replace(schedule, faults=tuple(faults))
            there = schedule.inputs if schedule.inputs is not None else tuple(inputs)
            if there:
                fewer = self._fewer(there, lambda some, now=schedule: replace(now, inputs=tuple(some)))
                if len(fewer) < len(inputs):
                    schedule = replace(schedule, inputs=tuple(fewer))
        return schedule

    def _better(self, schedule: Schedule, simpler: Schedule) -> Schedule:
        return simpler if self._still(simpler) else schedule

    def _fewer(self, items: Sequence[T], made: Callable[[Sequence[T]], Schedule]) -> Sequence[T]:
        """As few of the items as will do, tried in pieces of half of them, of a quarter, and so on."""
        size = len(items)
        while size >= 1 and items:
            at = 0
            while at < len(items):
                left = [*items[:at], *items[at + size :]]
                if len(left) < len(items) and self._still(made(left)):
                    items = left
                else:
                    at += size
            size //= 2
        return items

    def _still(self, schedule: Schedule) -> bool:
        if self.runs >= self._most:
            return False
        self.runs += 1
        return self._fails(schedule)
