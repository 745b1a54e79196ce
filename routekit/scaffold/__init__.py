"""Making new things from templates: the distribution of a plugin."""
