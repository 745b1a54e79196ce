"""The demo that anybody can run does what it says."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

DEMO = Path(__file__).parents[2] / "tools" / "demo_crm.py"


def test_the_demo_ends_in_step(project: Any) -> None:
    """Two kills and two rounds of edits later nothing differs or is there twice, and each edit was written once."""
    done = subprocess.run([sys.executable, str(DEMO)], capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "0 differences, 0 duplicates\n92 creates and edits by people, 92 writes by RouteKit, 0 of" in done.stdout
