"""The real command in a folder of its own, and a daemon that runs in it."""

from ..cli.conftest import routekit  # noqa: F401  # a fixture
