"""Kill tests on real parts: daemon, RabbitMQ and PostgreSQL are killed at work, and a ledger looks for what is missing.

`python -m chaos --messages 50000 --kills 30 --seed 7`; see docs/testing/chaos.md.
"""
