"""The port of a server, where several workers serve the same routes."""

import pytest

from routekit import Unavailable
from routekit_http.server.serving import bound_to


def test_workers_share_a_port_and_others_do_not():
    """Two workers of one command listen there; a daemon by itself is told that somebody does."""
    with bound_to("127.0.0.1", 0, "here", shared=True) as first:
        port = first.getsockname()[1]
        with bound_to("127.0.0.1", port, "here", shared=True) as second:
            assert second.getsockname()[1] == port
        with pytest.raises(Unavailable):
            bound_to("127.0.0.1", port, "here")
