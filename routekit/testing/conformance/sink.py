"""The contract of a sink."""

from .sinks.arriving import Arriving
from .sinks.delivering import Delivering
from .sinks.failing import Failing
from .sinks.stopping import Stopping
from .sinks.telling import Telling


class SinkContract(Telling, Failing, Stopping, Delivering, Arriving):  # the last one's cases come first
    """Tries a sink: subclass it, say what is outside, and what has arrived there.

    class TestSpoolSink(SinkContract):
        kind = SpoolSink

        @asynccontextmanager
        async def outside(self, folder):
            self.folder = folder
            yield

        def sink(self):
            return f"spool:{self.folder}"

        async def delivered(self):
            return [file.read_bytes() for file in sorted(self.folder.glob("*.msg"))]
    """
