"""What a benchmark gives: figures, a table for people and JSON for machines."""

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from statistics import median
from typing import Literal

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured value; `beside` is what it was compared with in the same run, `goal` what it should reach."""

    name: str
    value: float
    unit: str
    beside: str = ""
    goal: float | None = None
    better: Literal["lower", "higher"] = "lower"

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal


def alternately(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turn so that a machine that drifts slows all alike."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for samples, measure in zip(taken, measures, strict=True):
            samples.append(measure())
    return [median(samples) for samples in taken]


def report(figures: Sequence[Figure]) -> Path:
    """Print the figures as a table and keep them as JSON; gives the file."""
    table = Table(box=None, header_style="bold")
    for column in ("figure", "value", "unit", "goal", "", "beside, in the same run"):
        table.add_column(column, justify="right" if column in ("value", "goal") else "left", no_wrap=column != "beside")
    for figure in figures:
        goal = "" if figure.goal is None else f"{'<=' if figure.better == 'lower' else '>='} {figure.goal:g}"
        mark = {None: "", True: "met", False: "MISSED"}[figure.met]
        table.add_row(
            figure.name,
            f"{figure.value:,.3g}" if figure.value < 1000 else f"{figure.value:,.0f}",
            figure.unit,
            goal,
            mark,
            figure.beside,
        )
    Console(width=200).print(table)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "latest.json"
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": cpu_count()}
    data = {"when": datetime.now(UTC).isoformat(), **machine, "figures": [{**asdict(f), "met": f.met} for f in figures]}
    file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return file
