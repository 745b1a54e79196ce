"""Remote systems in memory, which can be told to be as bad as real ones: for who keeps records in step.

    crm = FakeRemote("crm", Knobs(lag=2.0, granularity=1.0), now=clock.now)
    id = crm.system.user_create({"email": "ada@example.org"})
    crm.system.faults.plan(Fault(FaultKind.LOST, op="update"))

A `FakeRemote` implements `routekit.remotes.Remote`; the `FakeSystem` behind it has the hands of its users, the records
as they are, and a log of what was written.
"""

from .faults import Call as Call
from .faults import Fault as Fault
from .faults import FaultKind as FaultKind
from .faults import Faults as Faults
from .knobs import Deletes as Deletes
from .knobs import Ghost as Ghost
from .knobs import Hidden as Hidden
from .knobs import Knobs as Knobs
from .knobs import Merging as Merging
from .knobs import Paging as Paging
from .knobs import Versions as Versions
from .profiles import DATAVERSE as DATAVERSE
from .profiles import HUBSPOT as HUBSPOT
from .profiles import PROFILES as PROFILES
from .profiles import SALESFORCE as SALESFORCE
from .profiles import SHOPIFY as SHOPIFY
from .profiles import STRIPE as STRIPE
from .profiles import Profile as Profile
from .profiles import VendorFigure as VendorFigure
from .rows import Written as Written
from .session import FakeRemote as FakeRemote
from .session import FakeSession as FakeSession
from .system import FakeSystem as FakeSystem
