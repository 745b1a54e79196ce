"""What is written is true: the README and the example."""

import subprocess
import sys
from pathlib import Path

from routekit_excel import Xlsx

PLUGIN = Path(__file__).parents[1]


def test_the_readme_tells_every_option() -> None:
    """No option and no header is left out."""
    readme = (PLUGIN / "README.md").read_text(encoding="utf-8")
    for name in (*Xlsx.model_fields, *Xlsx.about.headers):
        assert f"`{name}`" in readme, name


def test_the_example_runs() -> None:
    """It ends by itself: a bad row is told, the others are taken."""
    example = PLUGIN / "examples" / "price_list.py"
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    bad, taken = done.stdout.splitlines()
    assert bad.startswith("row 2, column 'price'")
    assert taken == "[{'sku': 'A1', 'price': 9.5}, {'sku': 'C3', 'price': 12.0}]"
