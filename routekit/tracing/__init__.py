"""Tracing: the way of single messages through routes, kept in the store for people to read."""
