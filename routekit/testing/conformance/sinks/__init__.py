"""The cases of a sink, by what they are about."""
