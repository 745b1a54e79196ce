"""The contract of a store."""

from .stores.groups import GroupsCases
from .stores.journal import JournalCases
from .stores.keys import KeysCases
from .stores.letters import LettersCases
from .stores.marks import MarksCases
from .stores.operating import OperatingCases
from .stores.outbox import OutboxCases
from .stores.surviving import SurvivingCases
from .stores.values import ValuesCases


class StoreContract(
    SurvivingCases,
    OperatingCases,
    LettersCases,
    OutboxCases,
    ValuesCases,
    JournalCases,
    GroupsCases,
    MarksCases,
    KeysCases,
):  # the last one's cases come first
    """Tries a store: subclass it, and say how it is opened; `outside` is what is there before.

    class TestFiles(StoreContract):
        @asynccontextmanager
        async def outside(self, folder):
            self.folder = folder
            yield

        def opened(self, clock):
            return open_files(str(self.folder), {}, clock)

    In each test the first opening finds an empty store, and each later one what the former has left. What a process
    had in its hands that has died is free after `patience` seconds at the latest. `durable = False` is for a store that
    ends with its process; `loops` has the event loops on which it works.
    """
