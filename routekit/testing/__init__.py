"""For tests of routes and plugins: in-memory endpoints, and running routes to their end.

async def test_big_orders_are_shipped():
shipped = Sink()
flow = from_(Feed([1, 5, 9]), int).filter(lambda n: n > 3).to(shipped)
await run_routes(flow)
assert shipped.bodies == [5, 9]
"""

from ..plugins import Catalog as Catalog
from .endpoints import Feed as Feed
from .endpoints import Inlet as Inlet
from .endpoints import Sink as Sink
from .faults import FaultProxy as FaultProxy
from .faults import fault_proxy as fault_proxy
from .runs import Run as Run
from .runs import routes_of as routes_of
from .runs import run_routes as run_routes
from .runs import running as running
from .runs import setup_for as setup_for
from .virtual import virtual as virtual
