"""For tests of routes and plugins: a world in memory instead of servers, and a clock that jumps.

async def test_big_orders_are_shipped():
    with replace_endpoints({"http:crm/*": lambda order: {"vip": True}}):
        run = await run_route("orders.incoming", [{"id": 1, "amount": 900}, {"id": 2, "amount": 5}])
    run["rabbitmq:shipping"].expect([having(id=1)])
    assert run.filtered == [{"id": 2, "amount": 5}]
"""

from ..check import check as check
from ..loader import load as load
from ..plugins import Catalog as Catalog
from .builders import a_letter as a_letter
from .builders import a_message as a_message
from .channel import Channel as Channel
from .clock import Clock as Clock
from .differences import having as having
from .endpoints import Feed as Feed
from .endpoints import Inlet as Inlet
from .endpoints import Sink as Sink
from .faults import FaultProxy as FaultProxy
from .faults import fault_proxy as fault_proxy
from .ledger import Ledger as Ledger
from .runs import Run as Run
from .runs import probed as probed
from .runs import routes_of as routes_of
from .runs import run_routes as run_routes
from .runs import running as running
from .runs import setup_for as setup_for
from .simulating import simulate as simulate
from .single import RouteRun as RouteRun
from .single import entering as entering
from .single import run_route as run_route
from .traffic import Arrival as Arrival
from .traffic import Sent as Sent
from .virtual import virtual as virtual
from .world import Replacement as Replacement
from .world import World as World
from .world import replace_endpoints as replace_endpoints
