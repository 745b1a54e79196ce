"""Excel workbooks as a codec of RouteKit: `codec="xlsx"`."""

from collections.abc import Sequence

from routekit import Codec, hookimpl

from .xlsx import Xlsx as Xlsx


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    """The codec `xlsx`."""
    return [Xlsx]
