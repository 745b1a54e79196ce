"""Excel workbooks as a codec of RouteKit: `codec="xlsx"`."""

from collections.abc import Sequence

from routekit import Codec, hookimpl

from .xlsx import Xlsx as Xlsx

routekit_interface = 1
"""The plugin interface that this is written for."""


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    """The codec `xlsx`."""
    return [Xlsx]
