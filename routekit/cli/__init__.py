"""The command line: prints, and decides nothing.

Exit codes: 0 all is well; 1 something ran and failed; 2 what was asked cannot be done as it is written; 3 something in
flight was left; 4 there is no daemon to talk to.
"""

import os

from .app import app as app


def main() -> None:
    """The command `routekit`."""
    if "_ROUTEKIT_COMPLETE" in os.environ:  # a shell asks
        from .completing import answer_shells

        answer_shells()
    app()
