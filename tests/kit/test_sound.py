"""A sound plugin passes every test of the kit, those of servers and secrets too."""

from .servers import PipeSinkTrial, PipeSourceTrial
from .worlds import BellSourceTrial, ShelfSinkTrial, ShelfSourceTrial


class TestShelfSource(ShelfSourceTrial):
    pass


class TestShelfSink(ShelfSinkTrial):
    pass


class TestBellSource(BellSourceTrial):
    pass


class TestPipeSource(PipeSourceTrial):
    pass


class TestPipeSink(PipeSinkTrial):
    pass
