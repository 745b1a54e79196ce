"""The conformance kit: subclass a contract, give a factory, and get its tests. It needs pytest.

`pip install 'routekit-eip[testing]'` brings what it needs. See docs/plugins/conformance.md.
"""

from ...extras import library

library("pytest", extra="testing", asked="routekit.testing.conformance")

from ..faults import FaultProxy as FaultProxy  # noqa: E402 - only where pytest is there
from ..faults import fault_proxy as fault_proxy  # noqa: E402
from .applying import Case as Case  # noqa: E402
from .applying import cases as cases  # noqa: E402
from .contract import BODIES as BODIES  # noqa: E402
from .contract import HEADERS as HEADERS  # noqa: E402
from .contract import Contract as Contract  # noqa: E402
from .secret import SecretContract as SecretContract  # noqa: E402
from .sink import SinkContract as SinkContract  # noqa: E402
from .source import SourceContract as SourceContract  # noqa: E402
from .store import StoreContract as StoreContract  # noqa: E402
from .stores.bench import Clock as Clock  # noqa: E402
