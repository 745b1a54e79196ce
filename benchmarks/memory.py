"""The peak memory of a route over a file of 1 GB, in a process of its own."""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .figures import Figure

GIGABYTE = 1_000_000_000

_ROUTE = """
import json, sys
from pathlib import Path
import anyio
from routekit import Records, from_
from routekit.testing import Feed, Sink, run_routes

def peak():
    # not getrusage: what that gives a process begins with its parent's size
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

async def main(path):
    tallies = Sink()
    rows = from_(Feed([Path(path)]), Path).for_each(
        Records(dict[str, str], codec="csv"), lambda rows: rows.filter(lambda row: row["city"] != "Nowhere"))
    await run_routes(rows.to(tallies))
    print(json.dumps({"rows": tallies.bodies[0].total, "seconds": tallies.bodies[0].seconds, "mb": peak()}))

anyio.run(main, sys.argv[1])
"""


def write_csv(file: Path, size: int) -> int:
    """A CSV of about `size` bytes; gives the number of rows."""
    block = [[str(n), f"Name {n}", f"person{n}@mail.example.com", "Nuremberg", "x" * 150] for n in range(10_000)]
    rows = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "name", "email", "city", "note"])
        while stream.tell() < size:
            writer.writerows(block)
            rows += len(block)
    return rows


def figures() -> list[Figure]:
    """Megabytes of resident memory at the peak, beside the same route over an empty file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "big.csv"
        rows = write_csv(file, GIGABYTE)
        done = subprocess.run([sys.executable, "-c", _ROUTE, str(file)], check=True, capture_output=True, text=True)
        none = Path(folder) / "none.csv"
        none.write_text("id,name,email,city,note\n")
        empty = subprocess.run([sys.executable, "-c", _ROUTE, str(none)], check=True, capture_output=True, text=True)
    found, least = json.loads(done.stdout), json.loads(empty.stdout)
    assert found["rows"] == rows
    beside = f"an empty file {least['mb']:.0f} MB; {rows:,} rows in {found['seconds']:.0f} s"
    return [Figure("memory: a CSV of 1 GB, row by row", found["mb"], "MB peak", beside, 150.0)]
