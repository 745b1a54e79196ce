"""The contract of a source."""

from .sources.acknowledging import Acknowledging
from .sources.arriving import Arriving
from .sources.called import Called
from .sources.failing import Failing
from .sources.stopping import Stopping
from .sources.telling import Telling


class SourceContract(Telling, Failing, Called, Stopping, Acknowledging, Arriving):  # the last one's cases come first
    """Tries a source: subclass it, say what is outside, and how a message is put there.

    class TestSpool(SourceContract):
        kind = SpoolSource

        @asynccontextmanager
        async def outside(self, folder):
            self.folder = folder
            yield

        def source(self):
            return SpoolSource(directory=str(self.folder), poll=0.01)

        async def put(self, message):
            (self.folder / f"{message.id}.msg").write_bytes(message.body)
    """
