"""Run all benchmarks, or those named: `python -m benchmarks engine startup`."""

import sys
from importlib import import_module

from .figures import Figure, report

ALL = (
    "engine",
    "observation",
    "tracing",
    "patterns",
    "durable",
    "startup",
    "leads",
    "mapping",
    "csv_route",
    "sql",
    "postgresql",
    "takeover",
    "transaction",
    "memory",
    "sync",
    "http",
    "rabbitmq",
)


def main() -> int:
    """Print a table and write the JSON file; exit code 2 for a benchmark that does not exist."""
    names = sys.argv[1:] or ALL
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"there is no benchmark '{unknown[0]}'; known: {', '.join(ALL)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures += import_module(f"benchmarks.{name}").figures()
    print(f"\nwritten to {report(figures)}")
    return 0


sys.exit(main())
