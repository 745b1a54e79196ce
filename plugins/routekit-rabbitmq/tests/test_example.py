"""The example does what it says."""

import runpy
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "orders.py"


@pytest.mark.anyio
async def test_the_example_runs(server: Any, capsys: Any) -> None:
    """It ends by itself, with its checks passed."""
    await runpy.run_path(str(EXAMPLE))["main"](server)
    assert "300 orders are booked, each once" in capsys.readouterr().out
