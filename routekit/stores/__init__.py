"""Durable state: in memory for tests, in one SQLite file by default."""
