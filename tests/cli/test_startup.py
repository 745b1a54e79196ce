"""What the command loads before it knows what is asked: everybody waits for that, at each Tab too."""

import subprocess
import sys

LATER = {
    "asyncio",
    "http.client",
    "jinja2",
    "keyring",
    "playwright",
    "pytest",
    "routekit.control.client",
    "routekit.lettering.trying",
    "routekit.operating.sights",
    "routekit.simulate.simulation",
    "routekit.testing",
    "routekit.web.app",
    "ssl",
    "starlette",
    "trio",
    "uvicorn",
    "watchfiles",
}
"""What takes long to load, and what only some commands need."""


def test_nothing_is_loaded_too_early() -> None:
    """Loading all commands loads nothing that only some of them need."""
    code = "import sys, routekit.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert LATER & set(done.stdout.split()) == set()
