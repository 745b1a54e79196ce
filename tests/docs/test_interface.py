"""The plugin interface: its page is made from the code, and no change of it goes in unnoticed."""

import subprocess
import sys
from pathlib import Path

import pytest

from routekit import hookspecs

ROOT = Path(__file__).parents[2]


def test_the_page_and_the_record_are_those_of_the_code() -> None:
    """If this fails, the plugin interface has changed: what it prints says how, and what to do."""
    command = [sys.executable, "tools/interface.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["docs/plugins/hooks.md", "tests/packaging/interface.txt"])
def test_both_have_every_hook_and_contract(file: str) -> None:
    """Nothing of `hookspecs.py` is missing, nor what the contracts ask for."""
    text = (ROOT / file).read_text(encoding="utf-8")
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, "routekit_spec")]
    assert len(hooks) >= 4
    contracts = ["consume(", "listen(", "open(", "probe(", "decode(", "bind(", "shared(", "metered(", "claim("]
    assert [name for name in [*hooks, *contracts] if name not in text] == []
