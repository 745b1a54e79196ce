"""The example does what it says."""

import subprocess
import sys
from pathlib import Path

import pytest
from routekit_rabbitmq.testing import installed

EXAMPLE = Path(__file__).parent.parent / "examples" / "orders.py"


@pytest.mark.skipif(installed() is None, reason="rabbitmq-server is not installed")
def test_the_example_runs() -> None:
    """It ends by itself, with its checks passed."""
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "300 orders are booked, each once" in done.stdout
