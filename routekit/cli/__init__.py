"""The command line: prints, and decides nothing.

Exit codes: 0 all is well; 1 something ran and failed; 2 what was asked cannot be done as it is written; 3 something in
flight was left; 4 there is no daemon to talk to.
"""

from . import capturing as capturing
from . import configuring as configuring
from . import developing as developing
from . import doctoring as doctoring
from . import explaining as explaining
from . import getting as getting
from . import inspecting as inspecting
from . import lettering as lettering
from . import making as making
from . import mending as mending
from . import overlooking as overlooking
from . import running as running
from . import sending as sending
from . import simulating as simulating
from . import steering as steering
from . import storing as storing
from . import tracing as tracing
from . import watching as watching
from .app import app
from .completing import answer_shells


def main() -> None:
    """The command `routekit`; the modules above have put their commands on `app`."""
    answer_shells()
    app()
