"""A process that is killed while it writes never leaves half a file that others can see."""

import subprocess
import sys
from pathlib import Path

import pytest

WRITER = """
import sys, anyio
from itertools import count
from routekit import from_
from routekit.testing import Feed, run_routes
folder, exists = sys.argv[1:]
def wrote(message):
    print("wrote", flush=True)
bodies = (bytes([65 + n % 26]) * 700_000 for n in count())
flow = from_(Feed(bodies)).to(f"file:{folder}?exists={exists}&fsync=false", name=NAME).transform(wrote)
anyio.run(run_routes, flow)
"""


@pytest.mark.parametrize(
    ("exists", "name"),
    [
        ("fail", "lambda body, message: message.id"),
        ("replace", "lambda body: 'same'"),
        ("rename", "lambda body: 'same'"),
    ],
)
def test_nobody_sees_half_a_file(tmp_path: Path, exists: str, name: str) -> None:
    """At whatever moment `kill -9` comes, each visible file is complete; eight moments are tried."""
    for moment in range(1, 9):
        out = tmp_path / str(moment)
        command = [sys.executable, "-c", WRITER.replace("NAME", name), str(out), exists]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(moment * 3):
                assert process.stdout.readline() == b"wrote\n"
            process.kill()
        files = [path for path in out.iterdir() if not path.name.startswith(".")]
        assert files
        for path in files:
            content = path.read_bytes()
            assert len(content) == 700_000, path
            assert len(set(content)) == 1, path
