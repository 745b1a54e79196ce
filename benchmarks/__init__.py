"""Benchmarks: figures, each measured in the same run as what it is compared with. Never timed tests."""
