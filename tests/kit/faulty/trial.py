"""What a sub-run collects: the trial of one faulty endpoint, whose name is in the environment."""

import os
from typing import Any, ClassVar

import pytest

from ..pipe import PipeSink, PipeSource
from ..servers import PipeSinkTrial, PipeSourceTrial
from ..shelf import BellSource, ShelfSink, ShelfSource
from ..worlds import BellSourceTrial, ShelfSinkTrial, ShelfSourceTrial
from . import bells, pipes, sinks, sources
from .finding import FOUND, named

TRIALS = {
    BellSource: BellSourceTrial,
    PipeSink: PipeSinkTrial,
    PipeSource: PipeSourceTrial,
    ShelfSink: ShelfSinkTrial,
    ShelfSource: ShelfSourceTrial,
}
FAULT = next(kind for kind in FOUND if named(kind) == os.environ["KIT_FAULT"])

assert {bells, pipes, sinks, sources}  # importing them is what fills FOUND


class TestFaulty(next(trial for kind, trial in TRIALS.items() if issubclass(FAULT, kind))):
    """What it leaves open is collected in silence: that it leaves it is the fault."""

    pytestmark: ClassVar[Any] = [
        pytest.mark.anyio,
        pytest.mark.filterwarnings("ignore::ResourceWarning"),
        pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    ]
    kind = FAULT
    loops = ("asyncio",)
    patience = 1.5
    quiet = 0.4 if FAULT is pipes.CannotWait else 0.1
