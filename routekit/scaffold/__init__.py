"""Making new things from templates: the distribution of a plugin, a project, a route."""
