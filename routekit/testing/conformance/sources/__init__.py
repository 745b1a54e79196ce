"""The cases of a source, by what they are about."""
