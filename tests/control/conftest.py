"""The real command in a folder of its own, and a daemon that runs in it."""

from ..cli.conftest import routekit, routekit_of_module  # noqa: F401  # fixtures
