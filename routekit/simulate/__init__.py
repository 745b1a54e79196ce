"""Simulation: the routes of a user run in virtual time on twins in memory, and things go wrong."""
