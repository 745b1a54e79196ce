"""The control API: a desk over HTTP."""
